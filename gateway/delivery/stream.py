"""Stream delivery: a reader follows a subscription and keeps its cursor itself.

The cursor is one sequence for each shard, and every event carries it as its id. A reader that
reconnects to any process with the id of its last event continues exactly after that event.
"""

import time
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass

from gateway.base.errors import Conflict
from gateway.base.rate_limit import RateLimit, TokenBucket
from gateway.base.snapshot import Snapshot
from gateway.base.stop import Stop
from gateway.contracts import Catalogue
from gateway.delivery.journal_scanner import SPAN, JournalScanner
from gateway.delivery.store import Deliveries
from gateway.delivery.stream_position import Restored, format_position, parse_position
from gateway.delivery.wakeups import Wakeups
from gateway.identity import Directory
from gateway.journal import BEGINNING, Cursor, Entry, JournalReader
from gateway.subscriptions import Delivery, Subscription
from gateway.subscriptions.permissions import require_right
from gateway.subscriptions.start_positions import require_kept

BATCH = 100  # entries of one shard at a time
HEARTBEAT = 15.0  # seconds without an event after which a heartbeat is sent


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """An event, news of a restore or a heartbeat, and the position up to which all was yielded."""

    entry: Entry | None = None
    cursor: str = ""
    restored: Restored | None = None


class _Heartbeat:
    """When the next heartbeat is due."""

    def __init__(self) -> None:
        self._sent = time.monotonic()

    def restart(self) -> None:
        """Something was sent now."""
        self._sent = time.monotonic()

    @property
    def left(self) -> float:
        """Seconds until a heartbeat is due."""
        return HEARTBEAT - (time.monotonic() - self._sent)

    def take(self) -> bool:
        """Whether a heartbeat is due; the caller sends it then."""
        due = self.left <= 0
        if due:
            self.restart()
        return due


class StreamDelivery:
    """Delivers events to readers that follow a subscription."""

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

    async def begin(
        self, subscription: Subscription, last: str | None
    ) -> tuple[dict[int, Cursor], Restored | None]:
        """The cursors to continue from: those in `last`, else the stored ones.

        Also the restore of the journal that `last` does not know of. `last` is stored as delivered.
        Raises Invalid where it is not a position of this stream, Gone where events after it were
        removed, Conflict where the subscription is paused or delivered in another way, Forbidden
        where the right to receive its types was withdrawn.
        """
        self.require(subscription)
        cursors = await self._deliveries.cursors(subscription.key)
        if last is None:
            return cursors, None
        heads = await self._reader.heads()
        given, restored = parse_position(last, self._reader.incarnation, cursors, heads)
        await require_kept(subscription.types, given, self._reader)
        await self._deliveries.record_delivered(subscription.key, given)
        return {s: Cursor(sequence, BEGINNING) for s, sequence in given.items()}, restored

    async def follow(
        self, subscription: Subscription, cursors: dict[int, Cursor], restored: Restored | None
    ) -> AsyncGenerator[StreamEvent, None]:
        """Yield the events after the cursors, within the rate limit, until the process stops.

        First it tells of the restore, if there is one.
        A heartbeat follows HEARTBEAT seconds without an event; the caller may then check whether
        to continue.
        """
        incarnation = self._reader.incarnation
        if restored is not None:
            yield StreamEvent(None, format_position(incarnation, cursors), restored)
        heartbeat = _Heartbeat()
        rate = subscription.terms.rate
        bucket = TokenBucket(RateLimit.per_second(rate)) if rate else None
        with self._wakeups.of(subscription) as waiter:
            while not self._stop:
                found = False
                heads = await self._reader.heads()
                for shard, cursor in list(cursors.items()):
                    if cursor.sequence >= heads[shard].sequence:
                        continue
                    until = self._reader.span_end(shard, cursor, heads[shard], SPAN)
                    entries, after = await self._scanner.scan(
                        subscription, shard, cursor, until=until, limit=BATCH
                    )
                    found |= bool(entries) or after.sequence < heads[shard].sequence
                    for entry in entries:
                        async for _ in self._wait_for_rate(bucket, heartbeat):
                            yield StreamEvent(None, format_position(incarnation, cursors))
                        if self._stop:
                            return
                        cursors[shard] = Cursor(entry.sequence, entry.recorded)
                        heartbeat.restart()
                        yield StreamEvent(entry, format_position(incarnation, cursors))
                    cursors[shard] = after
                if heartbeat.take():
                    yield StreamEvent(None, format_position(incarnation, cursors))
                if not found:
                    await waiter.wait(heartbeat.left)

    async def _wait_for_rate(
        self, bucket: TokenBucket | None, heartbeat: _Heartbeat
    ) -> AsyncIterator[None]:
        """Wait until the rate limit allows one more event; yield when a heartbeat is due."""
        if bucket is None:
            return
        while not bucket.left and not self._stop:
            await self._stop.sleep(min(bucket.wait, HEARTBEAT))
            if heartbeat.take():
                yield
        bucket.spend()

    def require(self, subscription: Subscription) -> None:
        """Raises Conflict or Forbidden where the subscription may not be streamed."""
        if subscription.delivery is not Delivery.STREAM:
            raise Conflict(
                f"Subscription {subscription.name} is delivered by {subscription.delivery}. Only "
                "stream subscriptions can be followed."
            )
        if subscription.paused:
            raise Conflict(f"Subscription {subscription.name} is paused. Resume it first.")
        require_right(subscription, self._directory.value, self._catalogue.value)
