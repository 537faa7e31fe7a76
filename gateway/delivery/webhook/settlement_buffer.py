"""What became of the deliveries of one dispatcher, until it is written."""

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

PRESSING = 0.1  # seconds until what did not simply go well is written
KEEP = 0.5  # seconds between two writes else: what is repeated after a crash
GLANCE = 10.0  # seconds between two writes of a frontier that only looked
FULL = 1000  # dead letters that were not written yet


class SettlementBuffer:
    """Holds what is not written yet, and writes all of it at once.

    A fresh delivery ends in its track, and with a row where it did not go well; one that was open
    ends by its claim.
    """

    def __init__(self, lease: Lease, deliveries: Deliveries, dispatching: DispatchStore) -> None:
        self._lease = lease
        self._deliveries = deliveries
        self._dispatching = dispatching
        self._known: set[Position] = set()
        self._opened: list[DeferredDelivery] = []
        self._buried: list[FailedDelivery] = []
        self._acknowledged: list[Claim] = []
        self._returned: list[ReleasedDelivery] = []
        self._expired: list[Claim] = []
        self._rejected: list[tuple[Claim, Failure, str]] = []
        self._written_at = 0.0
        self.tracks: dict[int, ShardTracker] = {}
        self.blocked: set[str] = set()
        """Ordering keys of which a delivery is open: what comes after it has to wait."""
        self.open = 0
        """How many deliveries are open."""

    async def begin(self) -> None:
        """Learn how things stand."""
        cursors = await self._deliveries.cursors(self._lease.key)
        self._known = await self._dispatching.written(self._lease.key)
        self.tracks = {shard: ShardTracker(cursor) for shard, cursor in cursors.items()}
        await self.look_at_open()

    async def look_at_open(self) -> None:
        """Learn which ordering keys have to wait."""
        orders = await self._dispatching.open_orders(self._lease.key)
        unwritten = [each.fresh.order for each in self._opened]
        self.blocked = {order for order in (*orders, *unwritten) if order}
        self.open = sum(orders.values()) + len(unwritten)

    @property
    def wait(self) -> float | None:
        """Seconds until it is time to write; None where there is nothing."""
        if self.full:
            return 0.0
        if self._pressing:
            pause = PRESSING
        elif any(track.unwritten for track in self.tracks.values()):
            pause = KEEP
        elif self._looked_on:
            pause = GLANCE
        else:
            return None
        return max(0.0, self._written_at + pause - time.monotonic())

    @property
    def _pressing(self) -> bool:
        return bool(
            self._opened
            or self._buried
            or self._acknowledged
            or self._returned
            or self._rejected
            or self._expired
        )

    @property
    def full(self) -> bool:
        """Whether so much is a dead letter that it should be written before more is read."""
        return len(self._buried) >= FULL

    @property
    def fresh(self) -> int:
        """How many deliveries were read and have neither ended nor are open."""
        return sum(track.going_on for track in self.tracks.values())

    @property
    def _looked_on(self) -> bool:
        return any(track.looked != track.written for track in self.tracks.values())

    def knows(self, position: Position) -> bool:
        """Whether a predecessor has written it down as open or dead."""
        return position in self._known

    def delivered(self, job: PendingDelivery) -> None:
        """The endpoint took it."""
        if job.claim:
            self._acknowledged.append(job.claim)
        else:
            self._end(job, delivered=True)

    def failed(self, job: PendingDelivery, outcome: RetryLater, *, delay: float) -> None:
        """It is to be tried again."""
        if job.claim:
            failure = _failure(outcome)
            self._returned.append(ReleasedDelivery(job.claim, delay, failure, outcome.detail))
        else:
            self._open(
                DeferredDelivery(job.fresh, 1, delay, _failure(outcome), outcome.detail), job
            )

    def rejected(self, job: PendingDelivery, outcome: Rejected) -> None:
        """It is a dead letter."""
        if job.claim:
            self._rejected.append((job.claim, Failure.REJECTED, outcome.detail))
        else:
            self._buried.append(FailedDelivery(job.fresh, Failure.REJECTED, outcome.detail))
            self._end(job, delivered=False)

    def too_old(self, job: PendingDelivery) -> None:
        """It is a dead letter, as it was not handed out in time."""
        if job.claim:
            self._rejected.append((job.claim, Failure.EXPIRED, TOO_OLD))
        else:
            self._buried.append(FailedDelivery(job.fresh, Failure.EXPIRED, TOO_OLD, 0))
            self._end(job, delivered=False)

    def expired(self, job: PendingDelivery) -> None:
        """Nobody waits for it any more."""
        if job.claim:
            self._expired.append(job.claim)
        else:
            self._end(job, delivered=False)

    def wait_behind(self, job: PendingDelivery) -> None:
        """It waits, untried, until what is open of its ordering key is settled."""
        self._open(DeferredDelivery(job.fresh, 0, 0.0, Failure.REFUSED, ""), job)

    async def write(self) -> bool:
        """Write everything; returns whether deliveries that were open have come to an end.

        Raises LeaseLost or Superseded; Unavailable where it is to be repeated.

        What is taken here was settled before the first await, so the frontier and the rows of
        what it passes are written together.
        """
        if self._opened or self._buried or self._looked_on:
            await self._write_fresh()
        ended = bool(self._acknowledged or self._rejected or self._expired)
        if ended or self._returned:
            await self._write_claims()
            await self.look_at_open()
        self._written_at = time.monotonic()
        return ended

    async def _write_fresh(self) -> None:
        opened, buried = tuple(self._opened), tuple(self._buried)
        reached = {shard: track.reached() for shard, track in self.tracks.items()}
        settled = [
            ShardAdvance(shard, track.written, reached[shard], track.delivered_to(reached[shard]))
            for shard, track in self.tracks.items()
            if reached[shard] != track.written
        ]
        if not (settled or opened or buried):
            return
        await self._dispatching.keep(self._lease, settled=settled, opened=opened, buried=buried)
        del self._opened[: len(opened)], self._buried[: len(buried)]
        for each in settled:
            self.tracks[each.shard].wrote(each.after)
            self._known = {
                position
                for position in self._known
                if position.shard != each.shard or position.sequence > each.after.sequence
            }

    async def _write_claims(self) -> None:
        key = self._lease.key
        acknowledged = tuple(self._acknowledged)
        if acknowledged:
            await self._deliveries.acknowledge(key, acknowledged)
            del self._acknowledged[: len(acknowledged)]
        returned = tuple(self._returned)
        if returned:
            await self._dispatching.release(key, returned)
            del self._returned[: len(returned)]
        expired = tuple(self._expired)
        if expired:
            await self._deliveries.expire(key, expired)
            del self._expired[: len(expired)]
        while self._rejected:
            claim, failure, detail = self._rejected[0]
            await self._deliveries.reject(key, [claim], failure=failure, detail=detail)
            del self._rejected[0]

    def _open(self, opened: DeferredDelivery, job: PendingDelivery) -> None:
        self._opened.append(opened)
        self.open += 1
        if job.order:
            self.blocked.add(job.order)
        self._end(job, delivered=False)

    def _end(self, job: PendingDelivery, *, delivered: bool) -> None:
        self.tracks[job.position.shard].ended(job.position.sequence, delivered=delivered)


def _failure(outcome: RetryLater) -> Failure:
    return Failure.UNREACHABLE if outcome.status is None else Failure.REFUSED
