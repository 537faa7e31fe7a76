"""A process that has taken on what it can: the rest is refused at once, and the next is served."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from gateway.processes.shedding import SWALLOWED
from tests.builders import a_document
from tests.bus import STRUCTURED, Bus, MakeBus
from tests.servers import as_owner
from tests.wire import Reply, Wire, request

AT_ONCE = 3  # requests in progress of an organisation


@pytest.fixture(scope="module")
def bus(make_bus: MakeBus) -> Iterator[Bus]:
    with make_bus(NUSABUS_REQUESTS_IN_PROGRESS=str(AT_ONCE)) as bus:
        yield bus.run("api")


def publish(bus: Bus, organisation: str = "uji", body: bytes | None = None, **more: str) -> bytes:
    """A whole request."""
    event = json.dumps(a_document(source=f"/{organisation}", **of(organisation))).encode()
    headers = {**bus.actor(organisation).headers, **STRUCTURED, **more}
    return request("POST", "/v1/events", event if body is None else body, **headers)


def of(organisation: str) -> dict[str, str]:
    return {} if organisation == "uji" else {"type": "id.go.tak.ada.sama.v1"}


def is_shed(reply: Reply) -> bool:
    problem = json.loads(reply.body)
    assert problem["status"] == reply.status
    assert reply.headers["x-content-type-options"] == "nosniff"
    return (
        reply.status == 429
        and problem["type"].endswith("/share-exceeded")
        and int(reply.headers["retry-after"]) in (1, 2, 3)
    )


@asynccontextmanager
async def full(bus: Bus) -> AsyncIterator[None]:
    """While the organisation `uji` has all in progress that it may have, and nothing ends."""
    data = [publish(bus) for _ in range(AT_ONCE)]
    bus.actor("lain").headers  # noqa: B018 - a token that the process knows
    bus.actor("lain").get("/v1/subscriptions")
    holder = await asyncpg.connect(as_owner(bus.database_url))
    held = holder.transaction()
    await held.start()
    await holder.execute("SELECT FROM journal_shards FOR UPDATE")
    wires = [Wire(bus.port).send(each) for each in data]
    try:
        with Wire(bus.port) as wire:  # its refusal tells that the others are in progress
            while not is_shed(wire.send(publish(bus)).reply()):
                pass
        yield
    finally:
        await held.rollback()
        await holder.close()
    for wire in wires:
        assert wire.reply().status == 202
        wire.close()


async def test_the_rest_is_refused_and_the_next_is_served(bus: Bus) -> None:
    async with full(bus):
        with Wire(bus.port) as wire:
            for _ in range(20):  # on one connection, which stays usable
                assert is_shed(wire.send(publish(bus)).reply())
    with Wire(bus.port) as wire:
        assert wire.send(publish(bus)).reply().status == 202


async def test_others_and_probes_are_served_meanwhile(bus: Bus) -> None:
    async with full(bus):
        assert bus.answers("/health/live") == 200
        assert bus.answers("/health/ready") == 200
        assert 'nusabus_http_shed_total{reason="share"}' in bus.metrics()
        assert bus.actor("lain").get("/v1/subscriptions").status_code == 200
        assert bus.actor("lain").publish(a_document(type="id.go.tak.v1")).status_code == 403


async def test_requests_that_are_read_for_nobody(bus: Bus) -> None:
    async with full(bus):
        for data in (
            publish(bus, body=b"{" * 100_000),
            publish(bus, body=b""),
            publish(bus, body=b"x", content_length="1"),
        ):
            with Wire(bus.port) as wire:
                assert is_shed(wire.send(data).reply())
                assert is_shed(wire.send(publish(bus)).reply())
        with Wire(bus.port) as wire:  # in pieces, and with the next one in the same packet
            data = publish(bus)
            wire.send(data[:-10])
            wire.send(data[-10:] + data)
            assert is_shed(wire.reply())
            assert is_shed(wire.reply())


async def test_bodies_that_are_not_worth_reading_end_the_connection(bus: Bus) -> None:
    async with full(bus):
        head = publish(bus, body=b"").replace(b"content-length: 0\r\n", b"")[:-2]
        for data in (
            publish(bus, body=b"", content_length=str(SWALLOWED + 1)),
            publish(bus, body=b"", content_length=str(2**62)),
            head + b"transfer-encoding: chunked\r\n\r\n",
            head + b"expect: 100-continue\r\ncontent-length: 100\r\n\r\n",
            publish(bus, connection="close"),
        ):
            with Wire(bus.port) as wire:
                reply = wire.send(data).reply()
                assert reply.status == 429
                assert "retry-after" in reply.headers
                assert reply.closes
                assert wire.ended()


async def test_requests_behind_another_are_refused_by_the_application(bus: Bus) -> None:
    async with full(bus):
        with Wire(bus.port) as wire:
            wire.send(request("GET", "/v1/subscriptions", b"", **bus.actor("lain").headers))
            wire.send(publish(bus))
            statuses = [wire.reply().status, wire.reply().status]
        assert statuses == [200, 429]
