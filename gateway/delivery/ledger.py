"""The delivery ledger: where an event stands on its way to each subscription that is to get it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from gateway.base.database import Database
from gateway.base.snapshot import Snapshot
from gateway.contracts import Catalogue, Failure
from gateway.delivery.store import DeadLetters, Deliveries, DeliveryRecord, Settlement
from gateway.journal import Entry, JournalReader, Position
from gateway.request_reply import deadline, expired
from gateway.subscriptions import (
    Delivery,
    Subscription,
    SubscriptionCursors,
    backfill_progress,
    register,
)
from gateway.subscriptions.routing import routed_by


class Stage(StrEnum):
    """How far a delivery has come. What is said of AMQP is what the broker can tell."""

    WAITING = "waiting"  # in the journal
    OPEN = "open"  # due, or waiting for another attempt
    IN_HANDS = "in-hands"  # locked by a receiver
    QUEUED = "queued"  # confirmed into the queue of an AMQP subscription
    DRAINED = "drained"  # that queue has stood empty since: whoever read it has settled it
    ACKNOWLEDGED = "acknowledged"
    DEAD = "dead"
    DISCARDED = "discarded"
    EXPIRED = "expired"  # too old, and a dead letter; or a request whose deadline passed
    SKIPPED = "skipped"  # somebody sought past it
    RESENT = "resent"  # it was corrected: another event stands for it
    FILTERED = "filtered"  # a filter of the subscription leaves it out


_SETTLED = {
    Settlement.ACKNOWLEDGED: Stage.ACKNOWLEDGED,
    Settlement.DEAD: Stage.DEAD,
    Settlement.DISCARDED: Stage.DISCARDED,
    Settlement.EXPIRED: Stage.EXPIRED,
    Settlement.SKIPPED: Stage.SKIPPED,
}


@dataclass(frozen=True, slots=True)
class DeliveryStatus:
    """A subscription and the stage of an event on its way there."""

    organisation: str
    subscription: str
    delivery: Delivery
    stage: Stage
    attempts: int
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Lag:
    """How far a subscription is behind in one shard: entries of any type, and seconds."""

    shard: int
    events: int
    seconds: float


class DeliveryLedger:
    """Answers who got what, from the cursors that are kept anyway."""

    def __init__(
        self,
        database: Database,
        reader: JournalReader,
        deliveries: Deliveries,
        dead_letters: DeadLetters,
        catalogue: Snapshot[Catalogue],
    ) -> None:
        self._database = database
        self._reader = reader
        self._deliveries = deliveries
        self._dead_letters = dead_letters
        self._catalogue = catalogue

    async def of(self, entry: Entry, organisation: str | None) -> list[DeliveryStatus]:
        """Where an entry stands for every subscription that wants it, or for those of one."""
        position = Position(entry.shard, entry.sequence)
        async with self._database.session() as session:
            everyone = (await register.load(session)).all
            cursors = await backfill_progress.cursors(session, entry.shard)
        wanting = [
            each
            for each in everyone
            if each.wants(entry.event.type)
            and routed_by(each, entry.event.type, self._catalogue.value)
            and (each.accepts(entry.event) or not each.is_callback)  # others' replies are not its
            and organisation in (None, each.organisation)
            and entry.sequence > cursors[each.key].start
        ]
        relayed = await self._reader.relay_cursor(entry.shard) >= entry.sequence
        record = await self._dead_letters.delivery_records(position, [each.key for each in wanting])
        found = {each.key: each for each in record}
        return [
            self._status_of(each, entry, found[each.key], cursors[each.key], relayed)
            for each in wanting
        ]

    async def lag(self, subscription: Subscription) -> list[Lag]:
        """How far a subscription is behind, shard by shard."""
        heads = await self._reader.heads()
        if subscription.journal_delivered:
            reached = await self._deliveries.settled(subscription.key)
        else:
            async with self._database.session() as session:
                reached = await backfill_progress.drained(session, subscription)
        now = datetime.now(UTC)
        lags = []
        for shard, head in heads.items():
            behind = head.sequence - reached.get(shard, head.sequence)
            oldest = (
                await self._reader.entry_at(shard, head.sequence - behind + 1) if behind else None
            )
            seconds = (now - oldest.recorded).total_seconds() if oldest else 0.0
            lags.append(Lag(shard, behind, max(seconds, 0.0)))
        return lags

    def _status_of(
        self,
        subscription: Subscription,
        entry: Entry,
        record: DeliveryRecord,
        cursors: SubscriptionCursors,
        relayed: bool,
    ) -> DeliveryStatus:
        stage, at = _stage_of_dead(record)
        if stage is None and subscription.journal_delivered:
            stage, at = _stage_of_served(subscription, entry, record)
        elif stage is None:
            stage, at = _stage_of_queued(subscription, entry, record, cursors, relayed)
        return DeliveryStatus(
            subscription.organisation,
            subscription.name,
            subscription.delivery,
            stage,
            record.attempts or 0,
            at,
        )


def _stage_of_dead(record: DeliveryRecord) -> tuple[Stage | None, datetime | None]:
    if record.dead == "dead":
        expired = record.failure == Failure.EXPIRED
        return (Stage.EXPIRED if expired else Stage.DEAD), record.changed
    if record.dead in (Stage.DISCARDED, Stage.RESENT):
        return Stage(record.dead), record.changed
    return None, None


def _stage_of_served(
    subscription: Subscription, entry: Entry, record: DeliveryRecord
) -> tuple[Stage, datetime | None]:
    if record.attempts is not None:
        return (Stage.IN_HANDS if record.locked else Stage.OPEN), record.due
    if record.looked_through is None or entry.sequence > record.looked_through:
        return Stage.WAITING, None
    if record.ending is not None:
        return _SETTLED[Settlement(record.ending)], record.settled
    if not subscription.accepts(entry.event):
        return Stage.FILTERED, None
    if subscription.is_responder and expired(entry.event, entry.recorded):
        return Stage.EXPIRED, deadline(entry.event, entry.recorded)
    return Stage.ACKNOWLEDGED, None


def _stage_of_queued(
    subscription: Subscription,
    entry: Entry,
    record: DeliveryRecord,
    cursors: SubscriptionCursors,
    relayed: bool,
) -> tuple[Stage, datetime | None]:
    """While it catches up, what was relayed to others need not have reached its queue."""
    redriven = record.changed if record.dead == "redriven" else None
    reported = record.settled if record.ending == Settlement.ACKNOWLEDGED else None
    if reported is not None and (redriven is None or reported > redriven):
        return Stage.ACKNOWLEDGED, reported
    if redriven is not None:  # what the queue had held before says nothing of it
        return Stage.QUEUED, redriven
    reaches = subscription.bound or cursors.joined
    if entry.sequence > cursors.position and not (reaches and relayed):
        return Stage.WAITING, None
    if not subscription.accepts(entry.event):
        return Stage.FILTERED, None
    return (Stage.DRAINED if entry.sequence <= cursors.drained else Stage.QUEUED), None
