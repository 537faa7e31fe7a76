"""`PublishStream`: receipts, resuming, and what a client can do wrong."""

import asyncio
from typing import Any

import grpc
import psutil
import pytest

from adapters.client.wire.bus_pb2 import (
    OpenStream,
    PublishStreamRequest,
    RenewToken,
)
from adapters.client.wire.cloudevents_pb2 import CloudEvent
from tests.builders import CITIZEN, a_citizen, an_id
from tests.bus import Bus
from tests.grpc_calls import (
    SERVICE,
    Door,
    GrpcProcess,
    OpenedStream,
    a_message,
    positions,
    problem_of,
)

CODE = grpc.StatusCode
MEGABYTE = 1 << 20


async def end_of(stream: OpenedStream) -> grpc.aio.AioRpcError:
    """The error that ends a stream."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await _read_all(stream)
    return caught.value


async def _read_all(stream: OpenedStream) -> None:
    while await stream.call.read() is not grpc.aio.EOF:
        pass


async def _send_until_it_blocks(stream: OpenedStream, events: list[CloudEvent]) -> None:
    for number in range(1, 200):
        async with asyncio.timeout(3):
            await stream.send(number, events)


async def test_each_event_has_a_receipt_or_a_problem(bus: Bus, door: Door) -> None:
    wrong = {"nik": "1"}
    events = [
        a_message(type=CITIZEN, subject=f"s{n % 7}", data=a_citizen(**wrong if n % 10 == 3 else {}))
        for n in range(100)
    ]
    async with door.stream() as stream:
        assert stream.stored_chunk == 0
        result = await stream.result(1, events)
        found = positions(result)
        refused = {each.event: each.problem for each in result.refused}
        assert sorted([*found, *refused]) == list(range(100))
        assert set(refused) == {n for n in range(100) if n % 10 == 3}
        assert all(each.type.endswith("/contract-violation") for each in refused.values())
        again = await stream.result(2, events)
        assert positions(again) == found
        assert all(each.duplicate for each in again.stored)
        await stream.call.done_writing()
        assert await stream.call.read() is grpc.aio.EOF
        assert await stream.call.code() is CODE.OK
    stored = {
        id: (shard, sequence)
        for id, shard, sequence in await asyncio.to_thread(
            bus.query,
            "SELECT id, shard, sequence FROM journal_entries WHERE id = ANY ($1)",
            [each.id for each in events],
        )
    }
    assert stored == {events[place].id: where for place, where in found.items()}
    for subject in range(7):  # in the order in which they were sent
        mine = [found[n] for n in range(subject, 100, 7) if n in found]
        assert mine == sorted(mine)


async def test_a_stream_goes_on_after_what_is_stored(bus: Bus, door: Door) -> None:
    name, sent = an_id(), [[a_message() for _ in range(20)] for _ in range(4)]
    async with door.stream(name) as stream:
        await stream.result(1, sent[0])
        await stream.result(2, sent[1])
        await stream.send(3, sent[2])  # cancelled with or without it
    async with door.stream(name) as stream:
        stored = stream.stored_chunk
        assert stored in (2, 3)
        for number in range(stored + 1, 4):  # its commit may have been under way
            await stream.result(number, sent[number - 1])
        result = await stream.result(4, sent[3])
        assert not any(each.duplicate for each in result.stored)
    async with door.stream(name) as stream:
        assert stream.stored_chunk == 4
        again = await stream.result(1, sent[0])  # what is stored may be sent again
        assert all(each.duplicate for each in again.stored)
    async with door.stream(name) as stream:
        assert stream.stored_chunk == 4
    other = Door(0, bus.actor("uji", "publisher"), door.channel)
    async with other.stream(name) as stream:
        assert stream.stored_chunk == 0  # the name is the client's own


async def test_a_gap_ends_the_stream(door: Door) -> None:
    for numbers in ((2,), (1, 3), (1, 1), (0,)):
        async with door.stream(an_id()) as stream:
            for number in numbers:
                await stream.send(number, [a_message()])
            error = await end_of(stream)
            assert "does not follow" in problem_of(error).detail
            assert error.code() is CODE.INVALID_ARGUMENT


async def test_a_chunk_whose_events_are_all_refused_is_answered(door: Door) -> None:
    name = an_id()
    async with door.stream(name) as stream:
        result = await stream.result(1, [a_message(type=CITIZEN, data={})])
        assert len(result.refused) == 1
        await stream.result(2, [a_message()])
    async with door.stream(name) as stream:
        assert stream.stored_chunk == 2


async def test_what_a_stream_must_not_send(door: Door) -> None:
    async with door.stream() as stream:
        await stream.send(1, [])
        assert problem_of(await end_of(stream)).type.endswith("/too-large")
    async with door.stream() as stream:
        await stream.call.write(PublishStreamRequest(open=OpenStream()))
        assert "after `open`" in problem_of(await end_of(stream)).detail
    async with door.stream("x" * 129) as stream:
        assert (await end_of(stream)).code() is CODE.INVALID_ARGUMENT
    raw: Any = door.channel.stream_stream(f"{SERVICE}/PublishStream")(metadata=door.metadata)
    await raw.write(b"\xff\xff")
    stream = OpenedStream(raw)
    assert "PublishStreamRequest" in problem_of(await end_of(stream)).detail


async def test_tokens(bus: Bus, door: Door) -> None:
    def renewed(by: Door) -> PublishStreamRequest:
        token = dict(by.metadata)["authorization"].removeprefix("Bearer ")
        return PublishStreamRequest(renew=RenewToken(access_token=token))

    other = Door(0, bus.actor("uji", "publisher", "auditor"), door.channel)
    async with door.stream() as stream:
        await stream.call.write(renewed(door))
        await stream.result(1, [a_message()])
        await stream.call.write(renewed(other))
        assert (await end_of(stream)).code() is CODE.UNAUTHENTICATED
    async with door.stream(metadata=[]) as stream:
        assert (await end_of(stream)).code() is CODE.UNAUTHENTICATED


async def test_a_client_without_secret_is_stopped_at_its_next_chunk(bus: Bus, door: Door) -> None:
    body = {"organisation": "uji", "title": "A test's", "roles": ["publisher"]}
    made = bus.admin.post("/v1/clients", json=body).raise_for_status().json()
    secret = bus.admin.post(f"/v1/clients/{made['id']}/secrets").raise_for_status().json()
    actor = type(door.actor)(bus, "uji", made["id"], secret["secret"])
    async with Door(0, actor, door.channel).stream() as stream:
        await stream.result(1, [a_message()])
        where = f"/v1/clients/{made['id']}/secrets/{secret['id']}"
        bus.admin.delete(where).raise_for_status()
        await stream.send(2, [a_message()])
        assert (await end_of(stream)).code() is CODE.UNAUTHENTICATED


async def test_who_reads_nothing_is_not_read_from(door: Door, grpc_process: GrpcProcess) -> None:
    """Its answers, of half a megabyte each, are not held for it, and its chunks neither."""
    process = psutil.Process(grpc_process.pid)
    before, broken = process.memory_info().rss, [a_message(source="/lain", data="x" * 1000)] * 1000
    async with door.stream() as stream:
        with pytest.raises(TimeoutError):
            await _send_until_it_blocks(stream, broken)
        assert process.memory_info().rss - before < 64 * MEGABYTE
    await door.publish(a_message())
