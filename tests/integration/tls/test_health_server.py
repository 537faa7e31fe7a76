"""`/health` of relay and deliver by TLS: one port, in this process."""

import asyncio
import socket
import ssl
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
import uvloop

from deploy.local.ports import LOOPBACK, free_port
from gateway.base.settings import Settings
from gateway.base.stop import Stop
from gateway.processes import health_server
from gateway.processes.health_server import CONNECTIONS, HealthServer
from tests.authority import Authority
from tests.integration.tls.conftest import NAME

LIVE = b"GET /health/live HTTP/1.1\r\n\r\n"


async def ask(port: int, context: ssl.SSLContext | None) -> bytes:
    """The whole answer."""
    name = NAME if context else None
    reader, writer = await asyncio.open_connection(
        LOOPBACK, port, ssl=context, server_hostname=name
    )
    writer.write(LIVE)
    answer = await reader.read()
    writer.close()
    return answer


async def use(port: int, authority: Authority) -> None:
    context = ssl.create_default_context(cafile=str(authority.file))
    while True:
        try:
            assert (await ask(port, context)).startswith(b"HTTP/1.1 200 ")
            break
        except ConnectionRefusedError:
            await asyncio.sleep(0.01)
    with suppress(ConnectionError):
        assert not (await ask(port, None)).startswith(b"HTTP")
    with ExitStack() as stack:
        for _ in range(CONNECTIONS):
            silent = stack.enter_context(socket.create_connection((LOOPBACK, port)))
            silent.setblocking(False)
        # They make room: the oldest that has said nothing goes first. The others end in time.
        assert (await ask(port, context)).startswith(b"HTTP/1.1 200 ")
        with suppress(ConnectionError):
            assert await asyncio.get_running_loop().sock_recv(silent, 1) == b""


def test_it_answers_by_tls_alone(
    authority: Authority, pair: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health_server, "SECONDS", 3.0)
    settings = Settings.parse(
        {
            "NUSABUS_DATABASE_URL": "postgresql://a:b@c/d",
            "NUSABUS_AMQP_URL": "amqp://a:b@c/d",
            "NUSABUS_SECRET_KEY": "x" * 32,
            "NUSABUS_URL": f"https://{NAME}",
            "NUSABUS_TLS_CERTIFICATE_FILE": str(pair),
            "NUSABUS_HEALTH_PORT": str(free_port()),
        }
    )

    async def run() -> None:
        stop = Stop()
        serving = asyncio.create_task(HealthServer(settings).run(stop))
        await use(settings.health_port or 0, authority)
        stop.set()
        await serving

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())
