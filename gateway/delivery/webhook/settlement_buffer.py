"""The results of one dispatcher's deliveries, until they are written to the database."""

import asyncio
import time

from gateway.base.leases import Lease
from gateway.contracts import Failure
from gateway.delivery.store import (
    TOO_OLD,
    Claim,
    DeferredDelivery,
    Deliveries,
    DispatchStore,
    FailedDelivery,
    ReleasedDelivery,
    ShardAdvance,
)
from gateway.delivery.webhook.keyed_queue import PendingDelivery, ShardTracker
from gateway.delivery.webhook.sender import Rejected, RetryLater
from gateway.journal import Position

WRITE_FAILURES = 0.1  # seconds until a result other than success of a new delivery is written
WRITE_SUCCESSES = 0.5  # seconds between writes of successes: a crash repeats at most those
FULL = 1000  # unwritten dead letters


class SettlementBuffer:
    """Collects results and writes them together.

    A new delivery ends in the tracker of its shard, with a row only if it did not succeed. A
    delivery with a claim ends by that claim.
    """

    def __init__(self, lease: Lease, deliveries: Deliveries, store: DispatchStore) -> None:
        self.lease = lease
        self._deliveries = deliveries
        self._store = store
        self._known: set[Position] = set()
        self._deferred: list[DeferredDelivery] = []
        self._failed: list[FailedDelivery] = []
        self._acknowledged: list[Claim] = []
        self._released: list[ReleasedDelivery] = []
        self._expired: list[Claim] = []
        self._rejected: list[tuple[Claim, Failure, str]] = []
        self._written_at = 0.0
        self.writing = asyncio.Lock()
        """Held by whoever writes the cursors."""
        self.trackers: dict[int, ShardTracker] = {}
        self.blocked: set[str] = set()
        """Ordering keys with an open delivery: later deliveries of the same key must wait."""
        self.open = 0
        """How many deliveries are open."""

    async def begin(self) -> None:
        """Read the state that the last dispatcher left."""
        cursors = await self._deliveries.cursors(self.lease.key)
        self._known = await self._store.stored_above_cursor(self.lease.key)
        self.trackers = {shard: ShardTracker(cursor) for shard, cursor in cursors.items()}
        await self.update_open()

    async def update_open(self) -> None:
        """Read which ordering keys have open deliveries, and how many there are."""
        stored = await self._store.open_by_ordering_key(self.lease.key)
        unwritten = [each.delivery.ordering_key for each in self._deferred]
        self.blocked = {key for key in (*stored, *unwritten) if key}
        self.open = sum(stored.values()) + len(unwritten)

    @property
    def wait(self) -> float | None:
        """Seconds until the next write is due; None where there is nothing to write."""
        if self.full:
            return 0.0
        if self._has_failures:
            pause = WRITE_FAILURES
        elif any(tracker.has_ended for tracker in self.trackers.values()):
            pause = WRITE_SUCCESSES
        else:
            return None
        return max(0.0, self._written_at + pause - time.monotonic())

    @property
    def _has_failures(self) -> bool:
        return bool(
            self._deferred
            or self._failed
            or self._acknowledged
            or self._released
            or self._rejected
            or self._expired
        )

    @property
    def full(self) -> bool:
        """Whether there are so many dead letters that they must be written before more is read."""
        return len(self._failed) >= FULL

    @property
    def in_flight(self) -> int:
        """How many new deliveries have neither ended nor become open."""
        return sum(tracker.in_flight for tracker in self.trackers.values())

    @property
    def _has_scanned(self) -> bool:
        return any(tracker.scanned != tracker.stored for tracker in self.trackers.values())

    def passed(self) -> list[ShardAdvance]:
        """The moves of cursors past what the subscription does not receive, if that is all.

        `write` writes them with whatever else there is; until then they are written for many
        dispatchers together.
        """
        if self._has_failures or self.writing.locked():
            return []
        return [
            ShardAdvance(shard, tracker.stored, tracker.scanned, ())
            for shard, tracker in self.trackers.items()
            if tracker.scanned != tracker.stored and not tracker.is_busy
        ]

    def knows(self, position: Position) -> bool:
        """Whether an earlier dispatcher stored this delivery as open or dead."""
        return position in self._known

    def delivered(self, delivery: PendingDelivery) -> None:
        """The endpoint accepted it."""
        if delivery.claim:
            self._acknowledged.append(delivery.claim)
        else:
            self._end(delivery, delivered=True)

    def retry(self, delivery: PendingDelivery, result: RetryLater, *, delay: float) -> None:
        """It failed and is attempted again after `delay` seconds."""
        failure = result.failure
        if delivery.claim:
            released = ReleasedDelivery(delivery.claim, delay, failure, result.detail)
            self._released.append(released)
        else:
            self._defer(DeferredDelivery(delivery.new, 1, delay, failure, result.detail), delivery)

    def rejected(self, delivery: PendingDelivery, result: Rejected) -> None:
        """The endpoint rejected it: it becomes a dead letter."""
        if delivery.claim:
            self._rejected.append((delivery.claim, Failure.REJECTED, result.detail))
        else:
            self._failed.append(FailedDelivery(delivery.new, Failure.REJECTED, result.detail))
            self._end(delivery, delivered=False)

    def too_old(self, delivery: PendingDelivery) -> None:
        """It was not delivered within `max_age`: it becomes a dead letter."""
        if delivery.claim:
            self._rejected.append((delivery.claim, Failure.EXPIRED, TOO_OLD))
        else:
            self._failed.append(FailedDelivery(delivery.new, Failure.EXPIRED, TOO_OLD, 0))
            self._end(delivery, delivered=False)

    def expired(self, delivery: PendingDelivery) -> None:
        """The deadline of the request has passed: it ends without a dead letter."""
        if delivery.claim:
            self._expired.append(delivery.claim)
        else:
            self._end(delivery, delivered=False)

    def wait_for_key(self, delivery: PendingDelivery) -> None:
        """It waits, without an attempt, until earlier deliveries of its ordering key end."""
        self._defer(DeferredDelivery(delivery.new, 0, 0.0, Failure.REFUSED, ""), delivery)

    async def write(self) -> bool:
        """Write everything. Returns whether open deliveries have ended.

        Raises LeaseLost or Superseded; Unavailable where the write must be repeated.

        All that is taken here was settled before the first await, so the cursor and the rows of
        what it passes are written together.
        """
        async with self.writing:
            if self._deferred or self._failed or self._has_scanned:
                await self._write_new()
        ended = bool(self._acknowledged or self._rejected or self._expired)
        if ended or self._released:
            await self._write_claims()
            await self.update_open()
        self._written_at = time.monotonic()
        return ended

    async def _write_new(self) -> None:
        deferred, failed = tuple(self._deferred), tuple(self._failed)
        complete = {shard: each.complete_up_to() for shard, each in self.trackers.items()}
        advances = [
            ShardAdvance(
                shard, tracker.stored, complete[shard], tracker.delivered_up_to(complete[shard])
            )
            for shard, tracker in self.trackers.items()
            if complete[shard] != tracker.stored
        ]
        if not (advances or deferred or failed):
            return
        await self._store.write(self.lease, advances=advances, deferred=deferred, failed=failed)
        del self._deferred[: len(deferred)], self._failed[: len(failed)]
        for each in advances:
            self.advanced(each)

    def advanced(self, move: ShardAdvance) -> None:
        """The database has this cursor now."""
        self.trackers[move.shard].advance(move.after)
        self._known = {
            position
            for position in self._known
            if position.shard != move.shard or position.sequence > move.after.sequence
        }

    async def _write_claims(self) -> None:
        key = self.lease.key
        acknowledged = tuple(self._acknowledged)
        if acknowledged:
            await self._deliveries.acknowledge(key, acknowledged)
            del self._acknowledged[: len(acknowledged)]
        released = tuple(self._released)
        if released:
            await self._store.release(key, released)
            del self._released[: len(released)]
        expired = tuple(self._expired)
        if expired:
            await self._deliveries.expire(key, expired)
            del self._expired[: len(expired)]
        while self._rejected:
            claim, failure, detail = self._rejected[0]
            await self._deliveries.reject(key, [claim], failure=failure, detail=detail)
            del self._rejected[0]

    def _defer(self, deferred: DeferredDelivery, delivery: PendingDelivery) -> None:
        self._deferred.append(deferred)
        self.open += 1
        if delivery.ordering_key:
            self.blocked.add(delivery.ordering_key)
        self._end(delivery, delivered=False)

    def _end(self, delivery: PendingDelivery, *, delivered: bool) -> None:
        position = delivery.position
        self.trackers[position.shard].end(position.sequence, delivered=delivered)
