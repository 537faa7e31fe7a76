"""What a subscriber is sent: one message after the other, within the credit that it has given."""

import asyncio
import time
from collections.abc import Iterable
from typing import Any

from gateway.base.errors import RequestTimeout
from gateway.base.telemetry import log
from gateway.grpc.incoming import Channel
from gateway.grpc.wire.bus_pb2 import Deliveries, Delivery, SubscribeResponse

SLOW = 30.0  # seconds in which a client must take what was written
MESSAGE = 1 << 20  # bytes of events in one message, or one event: clients take 4 MiB by default


class Credit:
    """How many events more the client takes."""

    def __init__(self) -> None:
        self.ended = asyncio.Event()
        """Set once no more may be sent, however much is left."""
        self._left = 0
        self._changed = asyncio.Event()

    def add(self, events: int) -> None:
        """The client takes more."""
        self._left += events
        self._changed.set()

    def spend(self, events: int) -> None:
        """Events are sent."""
        self._left -= events

    def end(self) -> None:
        """No more may be sent."""
        self.ended.set()
        self._changed.set()

    async def available(self, most: int) -> int:
        """How many events may be sent now, at least one; 0 once it has ended."""
        while not self._left and not self.ended.is_set():
            self._changed.clear()
            await self._changed.wait()
        return 0 if self.ended.is_set() else min(self._left, most)


class Outgoing:
    """Sends messages, from several tasks."""

    def __init__(self, channel: Channel) -> None:
        self.credit = Credit()
        self.subscription = ""
        self._channel = channel
        self._turn = asyncio.Lock()
        self._sent = time.monotonic()

    @property
    def idle(self) -> float:
        """Seconds since the last message."""
        return time.monotonic() - self._sent

    async def send(self, **message: Any) -> None:
        """Send a message of this kind. Raises Disconnected; RequestTimeout if it is not read."""
        try:
            async with asyncio.timeout(SLOW), self._turn:
                await self._channel.send(SubscribeResponse(**message))
        except TimeoutError:
            log().warning("grpc.slow_reader_dropped", subscription=self.subscription)
            raise RequestTimeout(
                f"The client has read nothing for {SLOW:g} seconds. Subscribe again."
            ) from None
        self._sent = time.monotonic()

    async def deliver(self, deliveries: Iterable[Delivery]) -> None:
        """Send events in as few messages as their size allows, and spend the credit."""
        batch: list[Delivery] = []
        size = 0
        for each in deliveries:
            length = each.ByteSize()
            if batch and size + length > MESSAGE:
                await self._deliver(batch)
                batch, size = [], 0
            batch.append(each)
            size += length
        if batch:
            await self._deliver(batch)

    async def _deliver(self, batch: list[Delivery]) -> None:
        self.credit.spend(len(batch))
        await self.send(deliveries=Deliveries(deliveries=batch))
