"""The delivery ledger: the stage of an event on its way to each subscription that receives it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from gateway.base.database import Database
from gateway.base.snapshot import Snapshot
from gateway.contracts import Catalogue, Failure
from gateway.delivery.store import Deliveries, DeliveryRecord, Settlement
from gateway.journal import Cursor, Entry, JournalReader, Position
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
    """How far a delivery has come. For AMQP only as far as the broker can tell."""

    WAITING = "waiting"  # in the journal
    OPEN = "open"  # due, or waiting for another attempt
    LOCKED = "in-hands"  # by a receiver
    QUEUED = "queued"  # confirmed into the queue of an AMQP subscription
    DRAINED = "drained"  # that queue was empty later, so its consumer has settled the event
    ACKNOWLEDGED = "acknowledged"
    DEAD = "dead"
    DISCARDED = "discarded"
    EXPIRED = "expired"  # too old, so a dead letter; or a request whose deadline has passed
    SKIPPED = "skipped"  # by a seek
    RESENT = "resent"  # replaced by a corrected event
    FILTERED = "filtered"  # by a filter of the subscription


_SETTLED = {
    Settlement.ACKNOWLEDGED: Stage.ACKNOWLEDGED,
    Settlement.DEAD: Stage.DEAD,
    Settlement.DISCARDED: Stage.DISCARDED,
    Settlement.EXPIRED: Stage.EXPIRED,
    Settlement.SKIPPED: Stage.SKIPPED,
}


@dataclass(frozen=True, slots=True)
class DeliveryStatus:
    """The stage of an event on its way to a subscription, and since when as far as known."""

    organisation: str
    subscription: str
    delivery: Delivery
    stage: Stage
    attempts: int
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Lag:
    """How far a subscription is behind in one shard, in entries of any type and in seconds."""

    shard: int
    events: int
    seconds: float


class DeliveryLedger:
    """Tells which subscriptions received an event, from records that delivery keeps anyway."""

    def __init__(
        self,
        database: Database,
        reader: JournalReader,
        deliveries: Deliveries,
        catalogue: Snapshot[Catalogue],
    ) -> None:
        self._database = database
        self._reader = reader
        self._deliveries = deliveries
        self._catalogue = catalogue

    async def statuses(self, entry: Entry, organisation: str | None) -> list[DeliveryStatus]:
        """The status for every subscription that receives the entry, or those of `organisation`."""
        position = Position(entry.shard, entry.sequence)
        async with self._database.session() as session:
            subscriptions = (await register.load(session)).all
            cursors = await backfill_progress.cursors(session, entry.shard)
        receiving = [
            each
            for each in subscriptions
            if each.wants(entry.event.type)
            and routed_by(each, entry.event.type, self._catalogue.value)
            # Of replies a callback receives only those to its own requests.
            and (each.accepts(entry) or not each.is_callback)
            and organisation in (None, each.organisation)
            and entry.sequence > cursors[each.key].start
        ]
        relayed = await self._reader.relay_cursor(entry.shard) >= entry.sequence
        keys = [each.key for each in receiving]
        records = {each.key: each for each in await self._deliveries.records(position, keys)}
        return [
            self._status_of(each, entry, records[each.key], cursors[each.key], relayed)
            for each in receiving
        ]

    async def lag(self, subscription: Subscription) -> list[Lag]:
        """How far a subscription is behind, shard by shard."""
        heads = await self._reader.heads()
        if subscription.journal_delivered:
            reached = await self._deliveries.settled_up_to(subscription.key)
        else:
            async with self._database.session() as session:
                reached = await backfill_progress.drained(session, subscription)
        now = datetime.now(UTC)
        lags = []
        for shard, head in heads.items():
            low = reached.get(shard, head.sequence)
            behind = self._reader.incarnation.entries_between(shard, low, head.sequence)
            oldest = await self._reader.after(shard, Cursor(low), limit=1) if behind else []
            seconds = (now - oldest[0].recorded).total_seconds() if oldest else 0.0
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
        stage, at = _stage_of_dead_letter(record)
        if stage is None and subscription.journal_delivered:
            stage, at = _stage_from_journal(subscription, entry, record)
        elif stage is None:
            stage, at = _stage_in_queue(subscription, entry, record, cursors, relayed)
        return DeliveryStatus(
            subscription.organisation,
            subscription.name,
            subscription.delivery,
            stage,
            record.attempts or 0,
            at,
        )


def _stage_of_dead_letter(record: DeliveryRecord) -> tuple[Stage | None, datetime | None]:
    if record.dead_letter == "dead":
        expired = record.failure == Failure.EXPIRED
        return (Stage.EXPIRED if expired else Stage.DEAD), record.changed
    if record.dead_letter in (Stage.DISCARDED, Stage.RESENT):
        return Stage(record.dead_letter), record.changed
    return None, None


def _stage_from_journal(
    subscription: Subscription, entry: Entry, record: DeliveryRecord
) -> tuple[Stage, datetime | None]:
    if record.attempts is not None:
        return (Stage.LOCKED if record.locked else Stage.OPEN), record.due
    if record.cursor is None or entry.sequence > record.cursor:
        return Stage.WAITING, None
    if record.settlement is not None:
        return _SETTLED[Settlement(record.settlement)], record.settled
    if not subscription.accepts(entry):
        return Stage.FILTERED, None
    if subscription.is_responder and expired(entry.event, entry.recorded):
        return Stage.EXPIRED, deadline(entry.event, entry.recorded)
    return Stage.ACKNOWLEDGED, None


def _stage_in_queue(
    subscription: Subscription,
    entry: Entry,
    record: DeliveryRecord,
    cursors: SubscriptionCursors,
    relayed: bool,
) -> tuple[Stage, datetime | None]:
    """During a backfill, an entry that was relayed to others may not be in its queue yet."""
    redriven = record.changed if record.dead_letter == "redriven" else None
    reported = record.settled if record.settlement == Settlement.ACKNOWLEDGED else None
    if reported is not None and (redriven is None or reported > redriven):
        return Stage.ACKNOWLEDGED, reported
    if redriven is not None:  # what left the queue before the redrive was an earlier delivery
        return Stage.QUEUED, redriven
    is_routed = subscription.bound or cursors.joined
    if entry.sequence > cursors.backfilled and not (is_routed and relayed):
        return Stage.WAITING, None
    if not subscription.accepts(entry):
        return Stage.FILTERED, None
    return (Stage.DRAINED if entry.sequence <= cursors.drained else Stage.QUEUED), None
