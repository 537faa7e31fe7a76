"""The gate before HTTP, in a server of this process: handshakes in one piece, and the end."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from deploy.local.ports import LOOPBACK
from gateway.base.settings import Settings
from gateway.base.tls import ServerTls, TlsFiles
from gateway.processes.connections import Connections
from gateway.processes.http_protocol import BoundedProtocol
from gateway.processes.server import Server
from gateway.processes.tls_gate import gated
from tests.authority import Authority
from tests.integration.tls.conftest import NAME
from tests.waiting import eventually
from tests.wire import Wire, request

HELLO = request("GET", "/", host=NAME)
LIMIT = 8  # connections


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers everything."""
    assert (scope["type"], scope["scheme"]) == ("http", "https")
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]}
    )
    await send({"type": "http.response.body", "body": b"ok"})


@contextmanager
def serving(pair: Path, loop: str = "uvloop") -> Iterator[tuple[Server, int, threading.Thread]]:
    """A server with room for few; its port, and the thread that it runs in."""
    connections = Connections(LIMIT, LIMIT + 1, lambda _: False)
    limits = Settings.model_construct()

    def make(**uvicorns: object) -> BoundedProtocol:
        return BoundedProtocol(limits=limits, connections=connections, headers=b"", **uvicorns)

    http = gated(make, ServerTls(TlsFiles(str(pair))), connections, seconds=600)
    config = uvicorn.Config(application, http=http, lifespan="off", log_config=None, loop=loop)  # type: ignore[arg-type]  # it is only called
    server = Server(config)
    with socket.create_server((LOOPBACK, 0)) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            eventually(lambda: server.started)
            yield server, listening.getsockname()[1], thread
        finally:
            server.should_exit = True
            thread.join()


def encrypted(port: int, authority: Authority) -> Wire:
    wire = Wire(port)
    context = ssl.create_default_context(cafile=str(authority.file))
    wire.socket = context.wrap_socket(wire.socket, server_hostname=NAME)
    return wire


def in_one_piece(port: int, authority: Authority) -> bytes:
    """The request goes with the end of the handshake; what is answered first."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.create_default_context(cafile=str(authority.file))
    tls = context.wrap_bio(incoming, outgoing, server_hostname=NAME)
    with Wire(port) as wire:
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                wire.send(outgoing.read())
                incoming.write(wire.socket.recv(1 << 16))
        tls.write(HELLO)
        wire.send(outgoing.read())
        incoming.write(wire.socket.recv(1 << 16))
        return tls.read()


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_nothing_is_lost_around_the_handshake(authority: Authority, pair: Path, loop: str) -> None:
    """uvloop reads the first bytes before a task could begin with TLS."""
    with serving(pair, loop) as (_, port, _):
        for _ in range(50):
            assert in_one_piece(port, authority).startswith(b"HTTP/1.1 200 ")


def test_connections_without_a_handshake_keep_nobody_out(authority: Authority, pair: Path) -> None:
    """There are 600 seconds for it; who comes later takes the place of the oldest."""
    with serving(pair) as (_, port, _), ExitStack() as stack:
        silent = [stack.enter_context(Wire(port)) for _ in range(LIMIT)]
        stack.enter_context(Wire(port)).send(b"\x16\x03\x01\x02\x00\x01")
        with encrypted(port, authority) as wire:
            assert wire.send(HELLO).reply().status == 200
        assert silent[0].ended()


def test_the_end_answers_what_comes_and_waits_for_no_handshake(
    authority: Authority, pair: Path
) -> None:
    with (
        serving(pair) as (server, port, thread),
        encrypted(port, authority) as idle,
        Wire(port) as silent,
    ):
        assert idle.send(HELLO).reply().status == 200
        server.should_exit = True
        eventually(lambda: not server.servers[0].is_serving())
        reply = idle.send(HELLO).reply()
        assert (reply.status, reply.closes) == (200, True)
        assert idle.socket.recv(1) == b""  # the end of TLS, not only of TCP
        assert silent.ended()
        thread.join()
