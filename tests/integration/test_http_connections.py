"""Connections that take their time, or come in numbers: none of them keeps others out."""

import contextlib
import json
import resource
import threading
from collections.abc import Iterator

import pytest

from tests.builders import a_document
from tests.bus import STRUCTURED, Bus, MakeBus
from tests.waiting import eventually
from tests.wire import Wire, request

LIVE = request("GET", "/health/live")
HALF = LIVE[:-2]
ALL, EACH = 24, 8  # connections: of all addresses together, and of one


@pytest.fixture(scope="module")
def quick(make_bus: MakeBus) -> Iterator[Bus]:
    """A bus with short patience."""
    settings = {
        "NUSABUS_HEADER_SECONDS": "0.5",
        "NUSABUS_BODY_SECONDS": "1",
        "NUSABUS_KEEP_ALIVE_SECONDS": "1",
    }
    with make_bus(**settings) as bus:
        yield bus.run("api")


@pytest.fixture
def small(make_bus: MakeBus) -> Iterator[Bus]:
    """A bus with room for few."""
    settings = {
        "NUSABUS_CONNECTIONS": str(ALL),
        "NUSABUS_CONNECTIONS_PER_ADDRESS": str(EACH),
        "NUSABUS_HEADER_SECONDS": "600",
    }
    with make_bus(**settings) as bus:
        bus.http.headers["connection"] = "close"  # or it would hold one
        bus.run("api")
        eventually(lambda: "nusabus_http_connections 1.0" in bus.metrics())  # which is its own
        yield bus


@contextlib.contextmanager
def many(port: int, count: int, said: bytes, source: str = "127.0.0.1") -> Iterator[list[Wire]]:
    """Connections that have said this and stay."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(Wire(port, source=source)).send(said) for _ in range(count)]


def status(port: int, source: str = "127.0.0.1") -> int:
    """The status of one request on a connection of its own."""
    with Wire(port, source=source) as wire:
        try:
            return wire.send(LIVE).reply().status
        except OSError:
            return 0


def test_a_connection_that_says_nothing_is_closed(quick: Bus) -> None:
    with Wire(quick.port) as wire:
        assert wire.ended()
    assert 'nusabus_http_refused_total{reason="silent"}' in quick.metrics()


def test_a_head_that_stops_is_answered_and_closed(quick: Bus) -> None:
    with Wire(quick.port) as wire:
        reply = wire.send(HALF).reply()
        assert (reply.status, reply.closes) == (408, True)
        assert wire.ended()


def test_a_head_that_trickles_is_closed(quick: Bus) -> None:
    """Each byte comes long before any patience ends: the head as a whole is late."""
    with Wire(quick.port) as wire, _trickle(wire, HALF + b"X: "):
        assert wire.reply().status == 408


def test_a_head_that_trickles_on_a_used_connection_is_closed(quick: Bus) -> None:
    with Wire(quick.port) as wire:
        assert wire.send(LIVE).reply().status == 200
        with _trickle(wire, HALF + b"X: "):
            assert wire.reply().status == 408


def test_a_connection_between_requests_is_closed(quick: Bus) -> None:
    with Wire(quick.port) as wire:
        assert wire.send(LIVE).reply().status == 200
        with _trickle(wire, b""):  # line ends before a request are none
            assert wire.ended()


@pytest.mark.parametrize("path", ["/v1/events", "/v1/contracts", "/v1/subscriptions/x/test"])
def test_a_body_that_trickles_is_answered(quick: Bus, path: str) -> None:
    headers = {**quick.actor("uji", "publisher", "subscriber", "admin").headers, **STRUCTURED}
    with Wire(quick.port) as wire:
        wire.send(request("POST", path, b"", **headers, **{"content-length": "60000"}))
        with _trickle(wire, b"{"):
            reply = wire.reply()
        assert (reply.status, reply.closes) == (408, True)
        assert json.loads(reply.body)["type"].endswith("/too-slow")


def test_who_is_not_told_to_go_on_is_not_waited_for(quick: Bus) -> None:
    headers = {**quick.actor("uji").headers, "expect": "100-continue", "content-length": "9"}
    with Wire(quick.port) as wire:
        wire.send(request("POST", "/v1/events", b"", **headers))
        assert wire.reply().status == 100
        assert wire.reply().status == 408


def test_one_address_has_a_share(small: Bus) -> None:
    with many(small.port, EACH, HALF):
        assert status(small.port) == 503
        assert status(small.port, "127.0.0.2") == 200
    eventually(lambda: status(small.port) == 200)
    assert 'nusabus_http_refused_total{reason="too-many-connections"}' in small.metrics()


def test_half_sent_requests_from_everywhere_keep_nobody_out(small: Bus) -> None:
    """The oldest of them make room for those that come."""
    with contextlib.ExitStack() as stack:
        for number in range(2, 12):
            stack.enter_context(many(small.port, EACH, HALF, f"127.0.1.{number}"))
        for _ in range(2 * ALL):
            assert status(small.port) == 200
        assert small.actor("uji").publish(a_document()).status_code == 202


def test_connections_that_work_are_not_closed_for_others(small: Bus) -> None:
    with contextlib.ExitStack() as stack:
        working = [
            wire
            for number in range(2, 5)
            for wire in stack.enter_context(many(small.port, EACH, LIVE, f"127.0.1.{number}"))
        ]
        assert [wire.reply().status for wire in working] == [200] * ALL
        assert status(small.port) == 503
        assert [wire.send(LIVE).reply().status for wire in working] == [200] * ALL


def test_a_proxy_has_no_share(make_bus: MakeBus) -> None:
    """All clients come from there."""
    settings = {"NUSABUS_CONNECTIONS_PER_ADDRESS": "2", "NUSABUS_TRUSTED_PROXIES": "127.0.0.2"}
    with make_bus(**settings) as bus, many(bus.run("api").port, 5, HALF, "127.0.0.2"):
        assert status(bus.port, "127.0.0.2") == 200


def test_a_process_may_open_as_many_files_as_the_system_allows(quick: Bus) -> None:
    (pid,) = (process.pid for process in quick.processes)
    assert pid is not None
    soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    assert soft == hard


@contextlib.contextmanager
def _trickle(wire: Wire, first: bytes) -> Iterator[None]:
    """Send this, then a byte now and then, as long as the other side takes it."""
    stop = threading.Event()

    def run() -> None:
        with contextlib.suppress(OSError):
            wire.send(first)
            while not stop.wait(0.05):
                wire.send(b"\n" if not first else b"x")

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
