"""A grpc process that ends, dies or has too much to do."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress

import grpc
import pytest

from adapters.client.wire.cloudevents_pb2 import CloudEvent
from tests.builders import FOREIGN, an_id
from tests.bus import Bus
from tests.grpc_calls import Door, GrpcProcess, a_message, problem_of

CODE = grpc.StatusCode
CALLS = 8
CHUNKS, EVENTS = 40, 25


@pytest.fixture(scope="module")
def process(bus: Bus) -> Iterator[GrpcProcess]:
    process = GrpcProcess(bus, NUSABUS_GRPC_CALLS=str(CALLS))
    yield process
    process.stop()


@asynccontextmanager
async def door_of(process: GrpcProcess) -> AsyncIterator[Door]:
    door = Door(process.port, process.bus.actor("uji"))
    yield door
    await door.channel.close()


async def publish_until_it_ends(
    process: GrpcProcess, name: str, chunks: list[list[CloudEvent]], end: Callable[[], None]
) -> tuple[int, int, int]:
    """The chunk after which the stream began, the last answered one, and that of `draining`."""
    answered = draining = 0
    async with door_of(process) as door, door.stream(name) as stream:
        begun = stream.stored_chunk
        ending: asyncio.Future[None] | None = None
        # A read that begins after the end finds nothing of what was said before.
        reading = asyncio.ensure_future(stream.answer())
        for number in range(begun + 1, CHUNKS + 1):
            try:
                with suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
                    await stream.send(number, chunks[number - 1])
                message = await reading
            except (grpc.aio.AioRpcError, AssertionError):
                break
            reading = asyncio.ensure_future(stream.answer())
            if message.WhichOneof("message") == "draining":
                draining = message.draining.last_chunk
                break
            answered = message.result.number
            if answered == begun + 5:
                ending = asyncio.ensure_future(asyncio.to_thread(end))
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        if ending is not None:
            await ending
    return begun, answered, draining


async def test_a_stream_goes_on_after_each_end(process: GrpcProcess) -> None:
    name = an_id()
    chunks = [[a_message() for _ in range(EVENTS)] for _ in range(CHUNKS)]
    begun, answered, draining = await publish_until_it_ends(process, name, chunks, process.stop)
    assert (begun, draining) == (0, answered)
    await asyncio.to_thread(process.start)
    begun, killed, _ = await publish_until_it_ends(process, name, chunks, process.kill)
    assert begun == answered
    await asyncio.to_thread(process.start)
    begun, last, _ = await publish_until_it_ends(process, name, chunks, lambda: None)
    assert killed <= begun <= killed + 1  # its commit may have been answered to nobody
    assert last == CHUNKS
    stored = await asyncio.to_thread(
        process.bus.query,
        "SELECT count(*), count(DISTINCT id) FROM journal_entries WHERE id = ANY ($1)",
        [each.id for chunk in chunks for each in chunk],
    )
    assert tuple(stored[0]) == (CHUNKS * EVENTS,) * 2


async def test_calls_that_are_cancelled_hold_nothing(process: GrpcProcess) -> None:
    async with door_of(process) as door:
        for number in range(10 * CALLS):
            async with door.stream(an_id()) as stream:
                with suppress(asyncio.InvalidStateError):  # too many are in progress
                    await stream.send(1, [a_message() for _ in range(number % 3 + 1)])
            with suppress(grpc.aio.AioRpcError):  # now and then one is answered in time
                await door.publish(a_message(), timeout=0.0005)
        assert await published_in_the_end(door), "the calls that were cancelled still count"


async def published_in_the_end(door: Door) -> bool:
    for _ in range(100):
        with suppress(grpc.aio.AioRpcError):
            await door.publish(a_message())
            return True
        await asyncio.sleep(0.05)
    return False


async def test_an_organisation_has_its_share_of_the_calls(process: GrpcProcess) -> None:
    async with door_of(process) as door:
        streams = [door.stream() for _ in range(CALLS)]
        try:
            for each in streams:
                await each.__aenter__()
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await door.publish(a_message())
            assert caught.value.code() is CODE.RESOURCE_EXHAUSTED
            assert problem_of(caught.value).type.endswith("/share-exceeded")
            other = Door(0, process.bus.actor("lain"), door.channel)
            await other.publish(a_message(source="/lain", type=FOREIGN))
        finally:
            for each in streams:
                await each.__aexit__(None, None, None)
