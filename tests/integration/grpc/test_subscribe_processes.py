"""A subscriber whose grpc process ends or dies goes on, and nothing is lost."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import grpc
import pytest

from adapters.client.wire.bus_pb2 import Acknowledge, Credit, SubscribeResponse
from tests.builders import FREE, a_document, a_name
from tests.bus import Bus
from tests.grpc_calls import Door, GrpcProcess, OpenedSubscription

EVENTS, CREDIT = 3_000, 300
LOST = (grpc.aio.AioRpcError, asyncio.InvalidStateError)


@pytest.fixture(scope="module")
def process(bus: Bus) -> Iterator[GrpcProcess]:
    process = GrpcProcess(bus)
    yield process
    process.stop()


async def publish(bus: Bus) -> list[str]:
    """Publish events of one subject; their ids."""
    events = [a_document() for _ in range(EVENTS)]
    for first in range(0, EVENTS, 500):
        batch = events[first : first + 500]
        answer = await asyncio.to_thread(bus.actor("uji").publish_batch, batch)
        assert answer.json()["accepted"] == len(batch)
    return [each["id"] for each in events]


class Receiver:
    """Receives from one subscription, in one call after the other."""

    def __init__(self, process: GrpcProcess, name: str) -> None:
        self._process, self._name = process, name
        self.ids: list[str] = []
        self.position = ""
        self.last = ""
        """The kind of the last message."""

    async def run(self, at: int = EVENTS, end: Callable[[], None] = lambda: None) -> None:
        """Receive to the end of the call; once there are so many events, end the process."""
        door = Door(self._process.port, self._process.bus.actor("uji"))
        ending: asyncio.Future[None] | None = None
        async with door.subscribe(self._name, CREDIT, self.position) as stream:
            while len(set(self.ids)) < EVENTS:
                try:
                    await self._take(await stream.answer(), stream)
                except (*LOST, AssertionError):
                    break
                if ending is None and len(self.ids) >= at:
                    ending = asyncio.ensure_future(asyncio.to_thread(end))
            await stream.call.done_writing()
        await door.channel.close()
        if ending is not None:
            await ending

    async def _take(self, message: SubscribeResponse, stream: OpenedSubscription) -> None:
        self.last = str(message.WhichOneof("message"))
        found = message.deliveries.deliveries
        if not found:
            return
        self.ids += [each.event.id for each in found]
        self.position = found[-1].position
        done = [each.token for each in found if each.token]
        with suppress(*LOST):  # the process has ended: what it sent is still to be read
            await stream.write(credit=Credit(events=len(found)))
            if done:
                await stream.write(acknowledge=Acknowledge(tokens=done))


@pytest.mark.parametrize("delivery", ["stream", "pull"])
async def test_nothing_is_lost(process: GrpcProcess, delivery: str) -> None:
    bus, name = process.bus, a_name()
    terms: dict[str, Any] = {"terms": {"lock_seconds": 2}} if delivery == "pull" else {}
    made = bus.actor("uji").put_subscription(name, FREE, delivery=delivery, **terms)
    assert made.status_code == 201, made.text
    sent = await publish(bus)
    receiver = Receiver(process, name)
    await receiver.run(EVENTS // 4, process.stop)
    assert receiver.last == "draining"
    await asyncio.to_thread(process.start)
    await receiver.run(EVENTS // 2, process.kill)
    assert len(set(receiver.ids)) < EVENTS, "it was killed too late"
    await asyncio.to_thread(process.start)
    await receiver.run()
    if delivery == "stream":
        assert receiver.ids == sent
    assert set(receiver.ids) == set(sent)
