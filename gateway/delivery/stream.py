"""Streams: a reader follows a subscription from a place that it keeps itself.

The place is one number for each shard, and travels with every event as its id. A reader that
comes back with the id of the last event it has got goes on exactly behind it, at any process.
"""

import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

from gateway.base.errors import Conflict, Invalid
from gateway.base.snapshot import Snapshot
from gateway.base.stop import Stop
from gateway.contracts import Catalogue
from gateway.delivery.journal_scanner import SPAN, JournalScanner
from gateway.delivery.rate import RateLimit
from gateway.delivery.store import Deliveries
from gateway.delivery.wakeups import Wakeups
from gateway.identity import Directory
from gateway.journal import BEGINNING, Cursor, Entry, JournalReader
from gateway.subscriptions import Delivery, Subscription
from gateway.subscriptions.permissions import require_right

PIECE = 100  # entries of one shard at a time
SILENCE = 15.0  # seconds without an event after which a sign of life is due


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """An event and the place behind it; a sign of life has none of both."""

    entry: Entry | None = None
    place: str = ""


class _Silence:
    """For how long a reader has heard nothing."""

    def __init__(self) -> None:
        self._spoke = time.monotonic()

    def broken(self) -> None:
        """It hears something now."""
        self._spoke = time.monotonic()

    @property
    def left(self) -> float:
        """Seconds until a sign of life is due."""
        return SILENCE - (time.monotonic() - self._spoke)

    def is_long(self) -> bool:
        """Whether a sign of life is due; it counts as given then."""
        due = self.left <= 0
        if due:
            self.broken()
        return due


class StreamDelivery:
    """Lets readers follow subscriptions whose delivery is `stream`."""

    def __init__(
        self,
        reader: JournalReader,
        deliveries: Deliveries,
        scanner: JournalScanner,
        wakeups: Wakeups,
        directory: Snapshot[Directory],
        catalogue: Snapshot[Catalogue],
        stop: Stop,
    ) -> None:
        self._reader = reader
        self._deliveries = deliveries
        self._scanner = scanner
        self._wakeups = wakeups
        self._directory = directory
        self._catalogue = catalogue
        self._stop = stop

    async def begin(self, subscription: Subscription, last: str | None) -> dict[int, Cursor]:
        """Where to go on: behind `last`, else behind what was known to have arrived.

        That everything up to `last` has arrived is kept. Raises Invalid for what is no place,
        Conflict for another way of delivery or a paused subscription, Forbidden for a lost right.
        """
        self.require(subscription)
        cursors = await self._deliveries.cursors(subscription.key)
        if last is None:
            return cursors
        heads = await self._reader.heads()
        given = _places(last, {shard: head.sequence for shard, head in heads.items()})
        await self._deliveries.arrived(subscription.key, given)
        return {shard: Cursor(sequence, BEGINNING) for shard, sequence in given.items()}

    async def follow(
        self, subscription: Subscription, places: dict[int, Cursor]
    ) -> AsyncIterator[StreamEvent]:
        """Events behind the places, as they come and its rate allows, until the process stops.

        After SILENCE comes a sign of life, at which the caller may look whether to go on.
        """
        silence = _Silence()
        pace = RateLimit(subscription.terms.rate) if subscription.terms.rate else None
        with self._wakeups.of(subscription) as waiter:
            while not self._stop:
                found = False
                heads = await self._reader.heads()
                for shard, place in list(places.items()):
                    if place.sequence >= heads[shard].sequence:
                        continue
                    until = min(heads[shard].sequence, place.sequence + SPAN)
                    entries, after = await self._scanner.look(
                        subscription, shard, place, until=until, limit=PIECE
                    )
                    found |= bool(entries) or after.sequence < heads[shard].sequence
                    for entry in entries:
                        async for sign in self._allowed(pace, silence):
                            yield sign
                        if self._stop:
                            return
                        places[shard] = Cursor(entry.sequence, entry.recorded)
                        silence.broken()
                        yield StreamEvent(entry, _text(places))
                    places[shard] = after
                if silence.is_long():
                    yield StreamEvent()
                if not found:
                    await waiter.wait(silence.left)

    async def _allowed(
        self, pace: RateLimit | None, silence: "_Silence"
    ) -> AsyncIterator[StreamEvent]:
        """Ends when one more event may go; signs of life until then."""
        if pace is None:
            return
        while not pace.left and not self._stop:
            await self._stop.sleep(min(pace.wait, SILENCE))
            if silence.is_long():
                yield StreamEvent()
        pace.spend()

    def require(self, subscription: Subscription) -> None:
        """Raises Conflict or Forbidden where nothing may be streamed."""
        if subscription.delivery is not Delivery.STREAM:
            raise Conflict(f"{subscription.name} is delivered by {subscription.delivery}")
        if subscription.paused:
            raise Conflict(f"the subscription {subscription.name} is paused: resume it first")
        require_right(subscription, self._directory.value, self._catalogue.value)


def _text(places: Mapping[int, Cursor]) -> str:
    return ".".join(str(places[shard].sequence) for shard in sorted(places))


def _places(text: str, heads: Mapping[int, int]) -> dict[int, int]:
    words = text.split(".")
    if len(words) == len(heads) and all(word.isascii() and word.isdecimal() for word in words):
        places = {shard: int(word[:20]) for shard, word in zip(sorted(heads), words, strict=True)}
        if all(places[shard] <= heads[shard] for shard in places):
            return places
    raise Invalid("Last-Event-ID is none that this stream gave: leave it out to go on where it was")
