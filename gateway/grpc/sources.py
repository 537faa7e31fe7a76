"""Where the events of a subscriber come from: pull delivery, or stream delivery."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Protocol

from google.protobuf.timestamp_pb2 import Timestamp

from gateway.contracts import Catalogue
from gateway.delivery import ReceivedEvent, Restored, StreamEvent, outgoing_event
from gateway.grpc.context import GrpcContext
from gateway.grpc.events import write_event
from gateway.grpc.outgoing import Outgoing
from gateway.grpc.wire import bus_pb2 as messages
from gateway.journal import Cursor, sequence_text
from gateway.subscriptions import Subscription

BATCH = 100  # events that are fetched together
WAIT = 5.0  # seconds of one look for events; before each the rights are looked at

Look = Callable[[], Awaitable[Subscription]]
"""The subscription as it is now. Raises what ends the call."""


class Source(Protocol):
    """Sends the events of one subscription."""

    position: str
    """Up to here everything was sent; empty for a subscription that is pulled."""

    async def run(self) -> None:
        """Send events within the credit, until it has ended or the process stops."""

    def require(self, subscription: Subscription) -> None:
        """Raises Conflict or Forbidden where it may not be received from any more."""


class PullSource:
    """Sends events under locks."""

    position = ""

    def __init__(self, context: GrpcContext, look: Look, outgoing: Outgoing) -> None:
        self._context, self._look, self._outgoing = context, look, outgoing
        self.require = context.pull.require

    async def run(self) -> None:
        """See Source."""
        credit = self._outgoing.credit

        async def abandoned() -> bool:
            return credit.ended.is_set()

        while not self._context.stop and (limit := await credit.available(BATCH)):
            result = await self._context.pull.receive(
                await self._look(), limit=limit, wait=WAIT, abandoned=abandoned
            )
            catalogue = self._context.catalogues.value
            await self._outgoing.deliver(_locked(each, catalogue) for each in result.events)


class StreamSource:
    """Sends events with their positions."""

    def __init__(
        self,
        context: GrpcContext,
        subscription: Subscription,
        begin: tuple[dict[int, Cursor], Restored | None],
        outgoing: Outgoing,
    ) -> None:
        self.position = ""
        self.require = context.stream.require
        self._context, self._outgoing = context, outgoing
        self._events = _Gathered(context.stream.follow(subscription, *begin))

    async def run(self) -> None:
        """See Source."""
        credit = self._outgoing.credit
        try:
            while limit := await credit.available(BATCH):
                found = await self._events.take(limit, credit.ended)
                if not found:
                    return
                await self._send(found)
                self.position = found[-1].cursor
        finally:
            await self._events.close()

    async def _send(self, found: list[StreamEvent]) -> None:
        catalogue = self._context.catalogues.value
        if found[0].restored is not None:  # it comes first, before all events
            await self._outgoing.send(restored=_restored(found[0].restored, found[0].cursor))
        await self._outgoing.deliver(
            messages.Delivery(
                event=write_event(*outgoing_event(each.entry, catalogue)), position=each.cursor
            )
            for each in found
            if each.entry is not None
        )


class _Gathered:
    """Takes from an iterator what is there at once, and waits for the first only."""

    def __init__(self, events: AsyncGenerator[StreamEvent, None]) -> None:
        self._events = events
        self._next: asyncio.Task[StreamEvent | None] | None = None

    async def take(self, limit: int, ended: asyncio.Event) -> list[StreamEvent]:
        """Up to so many; none after the last one, or once it has ended."""
        found: list[StreamEvent] = []
        leaving = asyncio.ensure_future(ended.wait())
        try:
            while len(found) < limit:
                if self._next is None:
                    self._next = asyncio.ensure_future(self._following())
                if found:
                    await asyncio.sleep(0)
                else:
                    await asyncio.wait({self._next, leaving}, return_when=asyncio.FIRST_COMPLETED)
                if not self._next.done() or (event := self._next.result()) is None:
                    break
                found.append(event)
                self._next = None
        finally:
            leaving.cancel()
        return found

    async def close(self) -> None:
        """Take no more."""
        if self._next is not None:
            self._next.cancel()
            await asyncio.gather(self._next, return_exceptions=True)
        await self._events.aclose()

    async def _following(self) -> StreamEvent | None:
        return await anext(self._events, None)


def _locked(received: ReceivedEvent, catalogue: Catalogue) -> messages.Delivery:
    until = Timestamp()
    until.FromDatetime(received.until)
    return messages.Delivery(
        event=write_event(*outgoing_event(received.entry, catalogue)),
        token=received.token,
        attempt=received.attempt,
        locked_until=until,
    )


def _restored(restored: Restored, position: str) -> messages.Restored:
    began = Timestamp()
    began.FromDatetime(restored.began)
    lost = [
        messages.LostRange(first=sequence_text(shard, first), last=sequence_text(shard, last))
        for shard, (first, last) in sorted(restored.lost.items())
    ]
    return messages.Restored(
        position=position, incarnation=restored.incarnation, began=began, lost=lost
    )
