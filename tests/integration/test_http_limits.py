"""Requests that break HTTP or its limits, as bytes on a socket: each gets its answer at once."""

import json
from collections.abc import Iterator

import pytest

from tests.bus import Bus, MakeBus
from tests.wire import Reply, Wire, request

GET = b"GET /health/live HTTP/1.1\r\nHost: bus\r\n"
POST = b"POST /v1/events HTTP/1.1\r\nHost: bus\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n"
SMUGGLED = b"GET /health/live HTTP/1.1\r\nHost: smuggled\r\n\r\n"


@pytest.fixture(scope="module")
def bus(make_bus: MakeBus) -> Iterator[Bus]:
    with make_bus() as bus:
        yield bus.run("api")


def answer(bus: Bus, data: bytes, *, last: bool = True) -> Reply:
    """The one reply to these bytes; unless `last` is false the connection ends with it."""
    with Wire(bus.port) as wire:
        wire.send(data)
        reply = wire.reply()
        if last:
            assert reply.closes
            assert wire.ended()
        return reply


def refusals(bus: Bus, reason: str) -> float:
    line = f'nusabus_http_refused_total{{reason="{reason}"}} '
    return next((float(each[len(line) :]) for each in bus.metrics().splitlines()
                 if each.startswith(line)), 0.0)  # fmt: skip


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (POST + b"Content-Length: -1\r\n\r\n", 400),
        (POST + b"Content-Length: +1\r\n\r\nx", 400),
        (POST + b"Content-Length: 0x1\r\n\r\nx", 400),
        (POST + b"Content-Length: 1, 1\r\n\r\nx", 400),
        (POST + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\nx", 400),
        (POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nx", 400),
        (POST + b"Content-Length: 99999999999999999999\r\n\r\nx", 400),
        (POST + b"Content-Length : 1\r\n\r\nx", 400),
        (POST + b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (CHUNKED + b"Content-Length: 6\r\n\r\n0\r\n\r\n", 400),
        (CHUNKED + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", 400),
        (POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501),
        (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
        (POST + b"Transfer-Encoding: identity\r\n\r\nx", 501),
        (POST.replace(b"1.1", b"1.0") + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400),
        (POST + b"X: a\r\n b\r\n\r\n", 400),
        (GET + b"X: a\nY: b\r\n\r\n", 400),
        (GET + b"X: a\rY: b\r\n\r\n", 400),
        (GET + b"X: a\0b\r\n\r\n", 400),
        (GET + b"X\0: a\r\n\r\n", 400),
        (GET + b"X: a\x01b\r\n\r\n", 400),
        (GET + b"X Y: a\r\n\r\n", 400),
        (GET + b": a\r\n\r\n", 400),
        (GET + b"Host: other\r\n\r\n", 400),
        (b"GET /health/live HTTP/1.1\r\n\r\n", 400),
        (b"GET /health/live HTTP/1.1\nHost: bus\n\n", 400),
        (b"GET /health/live\r\n\r\n", 400),
        (b"GET /health/live HTTP/1.2\r\nHost: bus\r\n\r\n", 400),
        (b"GET /health/live HTTP/2.0\r\nHost: bus\r\n\r\n", 400),
        (b"GET /health/live HTTP/11\r\nHost: bus\r\n\r\n", 400),
        (b"GET /health/\0live HTTP/1.1\r\nHost: bus\r\n\r\n", 400),
        (b"GET /health/\xc3\xa9 HTTP/1.1\r\nHost: bus\r\n\r\n", 400),
        (b"GET http:// HTTP/1.1\r\nHost: bus\r\n\r\n", 400),
        (b"FETCH / HTTP/1.1\r\nHost: bus\r\n\r\n", 400),
        (b"CONNECT bus:443 HTTP/1.1\r\nHost: bus\r\n\r\n", 501),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", 400),
        (bytes.fromhex("16030100c8010000c40303") + bytes(32), 400),
        (b"\0" * 64, 400),
    ],
)  # fmt: skip
def test_what_is_no_http_is_refused_and_nothing_after_it_is_read(
    bus: Bus, data: bytes, status: int
) -> None:
    reply = answer(bus, data + SMUGGLED)
    assert reply.status == status
    problem = json.loads(reply.body)
    assert problem["status"] == status
    assert problem["type"].startswith("https://nusabus.go.id/problems/")
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "data",
    [
        GET + b"\r\n",
        b"\r\n\r\n" + GET + b"\r\n",
        b"GET http://bus/health/live HTTP/1.1\r\nHost: bus\r\n\r\n",
        b"GET http://other.example:1/health/live?x=1 HTTP/1.1\r\nHost: bus\r\n\r\n",
        GET + b"Connection: upgrade\r\nUpgrade: websocket\r\n\r\n",
        GET + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n",
        GET + b"Expect: 100-continue\r\n\r\n",
        GET + b"".join(b"x%d: %d\r\n" % (n, n) for n in range(99)) + b"\r\n",
        GET + b"X: " + b"x" * 60_000 + b"\r\n\r\n",
        GET.replace(b"live ", b"live?" + b"x" * 8000 + b" ") + b"\r\n",
    ],
)
def test_what_is_http_and_within_the_limits_is_served(bus: Bus, data: bytes) -> None:
    assert answer(bus, data, last=False).status == 200


def test_a_giant_header_is_refused(bus: Bus) -> None:
    with Wire(bus.port) as wire:
        wire.send(GET + b"X: ")
        assert wire.offer(b"a" * 65536, 1024) < 64 << 20
    assert refusals(bus, "headers-too-large") > 0
    reply = answer(bus, GET + b"X: " + b"a" * 70_000 + b"\r\n\r\n")
    assert reply.status == 431
    assert "65536 bytes" in json.loads(reply.body)["detail"]


@pytest.mark.parametrize("count", [100, 2000])
def test_too_many_headers_are_refused(bus: Bus, count: int) -> None:
    data = GET + b"".join(b"x%d: %d\r\n" % (n, n) for n in range(count)) + b"\r\n"
    assert answer(bus, data).status == 431


@pytest.mark.parametrize("size", [9000, 200_000])
def test_a_giant_url_is_refused(bus: Bus, size: int) -> None:
    assert answer(bus, b"GET /" + b"a" * size).status == 414


def test_headers_that_come_in_pieces_are_counted_together(bus: Bus) -> None:
    with Wire(bus.port) as wire:
        wire.send(b"GET /")
        wire.offer(b"a" * 100, 85)
        assert wire.reply().status == 414
    with Wire(bus.port) as wire:
        wire.send(GET)
        wire.offer(b"X: " + b"a" * 1000 + b"\r\n", 70)
        assert wire.reply().status == 431


def test_giant_chunk_extensions_are_refused(bus: Bus) -> None:
    token = bus.actor("uji").headers["authorization"].encode()
    with Wire(bus.port) as wire:
        wire.send(CHUNKED + b"Authorization: " + token + b"\r\n\r\n1;")
        assert wire.offer(b"a" * 65536, 1024) < 64 << 20
    with Wire(bus.port) as wire:
        wire.send(CHUNKED + b"Authorization: " + token + b"\r\n\r\n1;" + b"a" * 400_000)
        assert wire.reply().status == 400


def test_giant_trailers_are_refused(bus: Bus) -> None:
    token = bus.actor("uji").headers["authorization"].encode()
    with Wire(bus.port) as wire:
        wire.send(CHUNKED + b"Authorization: " + token + b"\r\n\r\n0\r\n")
        wire.offer(b"X: " + b"a" * 1000 + b"\r\n", 400)
        assert wire.reply().status == 400


def test_a_trailer_is_no_header(bus: Bus) -> None:
    """An attribute that comes behind the body is none: nobody has checked it before."""
    event = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/uji", "te": "trailers"}
    headers = {**bus.actor("uji").headers, **event, "transfer-encoding": "chunked"}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode()
    body = b"content-type: application/json\r\n\r\n2\r\n{}\r\n0\r\n"
    reply = answer(bus, POST + head + body + b"ce-type: id.go.uji.bebas.v1\r\n\r\n", last=False)
    assert (reply.status, json.loads(reply.body)["parameter"]) == (400, "ce-type")


def test_a_body_of_tiny_chunks_is_refused(bus: Bus) -> None:
    token = bus.actor("uji").headers["authorization"].encode()
    head = CHUNKED + b"Authorization: " + token + b"\r\nContent-Type: text/plain\r\n\r\n"
    reply = answer(bus, head + b"1\r\nx\r\n" * 2000)
    assert (reply.status, json.loads(reply.body)["detail"]) == (
        400,
        "The chunks of the body are too small.",
    )
    whole = answer(bus, head + b"1\r\nx\r\n" * 900 + b"0\r\n\r\n", last=False)
    assert "chunks" not in json.loads(whole.body)["detail"]


@pytest.mark.parametrize(
    "chunks",
    [b"-1\r\nx\r\n0\r\n\r\n", b"zz\r\nx", b"1\r\nxx\r\n", b"1\nx\n0\n\n", b"f" * 20 + b"\r\n",
     b"1 \r\nx\r\n0\r\n\r\n", b"1\r\nx0\r\n\r\n"],
)  # fmt: skip
def test_chunks_are_read_strictly(bus: Bus, chunks: bytes) -> None:
    token = bus.actor("uji").headers["authorization"].encode()
    reply = answer(bus, CHUNKED + b"Authorization: " + token + b"\r\n\r\n" + chunks + SMUGGLED)
    assert reply.status == 400


def test_requests_on_one_connection_are_answered_in_order(bus: Bus) -> None:
    with Wire(bus.port) as wire:
        wire.send(GET + b"\r\n" + request("GET", "/nothing") + GET + b"\r\n")
        assert [wire.reply().status for _ in range(3)] == [200, 401, 200]
        wire.send(GET + b"\r\n")
        assert wire.reply().status == 200


def test_more_requests_than_may_wait_are_refused(bus: Bus) -> None:
    with Wire(bus.port) as wire:
        wire.send((GET + b"\r\n") * 1000)
        statuses = [wire.reply().status for _ in range(18)]
        assert wire.ended()
    assert statuses == [200] * 17 + [503]


def test_what_comes_before_a_broken_request_is_answered_first(bus: Bus) -> None:
    with Wire(bus.port) as wire:
        wire.send(GET + b"\r\n" + GET + b"\r\n" + GET + b"X: a\0\r\n\r\n")
        assert [wire.reply().status for _ in range(3)] == [200, 200, 400]
        assert wire.ended()


def test_no_line_is_logged_for_each(bus: Bus) -> None:
    before = len(bus.logs().splitlines())
    for _ in range(20):
        answer(bus, b"NONSENSE\r\n\r\n")
    assert len(bus.logs().splitlines()) - before <= 1  # the one of the minute
    assert refusals(bus, "malformed") >= 20
