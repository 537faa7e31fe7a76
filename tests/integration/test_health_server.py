"""The relay and deliver processes answer the platform, within narrow bounds."""

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import httpx
import pytest

from deploy.local.ports import LOOPBACK, free_port
from gateway.processes.health_server import CONNECTIONS, HEAD_BYTES
from tests.bus import Bus, MakeBus
from tests.servers import METRICS_TOKEN
from tests.waiting import eventually


@pytest.fixture(scope="module", params=["relay", "deliver"])
def url(request: pytest.FixtureRequest, make_bus: MakeBus) -> Iterator[str]:
    with make_bus() as bus:
        bus.carry_out("topology")
        yield started(bus, request.param)


def started(bus: Bus, command: str) -> str:
    port = free_port()
    bus.start(command, NUSABUS_HEALTH_PORT=str(port))
    eventually(lambda: "health.listening" in bus.logs())
    return f"http://{LOOPBACK}:{port}"


def test_it_says_that_it_lives_and_is_ready(url: str) -> None:
    assert httpx.get(f"{url}/health/live").json() == {"status": "live"}
    assert httpx.head(f"{url}/health/live").status_code == 200
    eventually(lambda: httpx.get(f"{url}/health/ready").json() == {"status": "ready"})


def test_metrics_need_their_token(url: str) -> None:
    for given in (b"", b"Bearer x", b"Bearer \xff", b"Basic eDp5"):
        refused = httpx.get(f"{url}/metrics", headers=[(b"authorization", given)])
        assert refused.status_code == 401
        assert refused.headers["content-type"] == "application/problem+json"
    two = [("authorization", f"Bearer {METRICS_TOKEN}")] * 2
    assert httpx.get(f"{url}/metrics", headers=two).status_code == 401
    answer = httpx.get(f"{url}/metrics", headers=two[:1])
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "nusabus_defects_total" in answer.text


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /v1/events HTTP/1.1\r\n\r\n",
        b"POST /metrics HTTP/1.1\r\ncontent-length: 5\r\n\r\nhello",
        b"GET /health/../metrics HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"\r\n\r\n",
        b"\xff \xff \xff\r\n\0:\0\r\n\r\n",
    ],
)
def test_anything_else_is_refused(url: str, sent: bytes) -> None:
    answer = exchange(url, sent)
    assert answer.startswith(b"HTTP/1.1 4")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["status"] in (404, 405)


def exchange(url: str, sent: bytes) -> bytes:
    with connected(url) as client:
        client.sendall(sent)
        return b"".join(iter(lambda: client.recv(65536), b""))


def connected(url: str) -> socket.socket:
    parts = httpx.URL(url)
    return socket.create_connection((parts.host, parts.port or 80), timeout=20)


def test_what_is_too_large_is_cut_off(url: str) -> None:
    with connected(url) as client:
        with suppress(ConnectionError):
            client.sendall(b"GET / HTTP/1.1\r\na: " + b"x" * (3 * HEAD_BYTES))
        assert cut_off(client)


def test_connections_that_send_nothing_are_cut_off_in_time(url: str) -> None:
    with ExitStack() as stack:
        idle = [stack.enter_context(connected(url)) for _ in range(CONNECTIONS + 8)]
        assert all(map(cut_off, idle))
    assert httpx.get(f"{url}/health/live").is_success


def cut_off(client: socket.socket) -> bool:
    """Whether the server ends the connection without an answer."""
    try:
        return client.recv(1) == b""
    except ConnectionError:
        return True
