"""Acknowledgements that consumers of queues report. The broker does not tell which events."""

from collections.abc import Iterable, Sequence
from enum import StrEnum

from gateway.base.errors import Conflict
from gateway.delivery.store import Deliveries
from gateway.journal import JournalReader, Position
from gateway.subscriptions import Delivery, Subscription


class ReportResult(StrEnum):
    """The result for one reported sequence."""

    NOTED = "noted"  # by this report or an earlier one
    UNKNOWN = "unknown"  # the journal has no event there that this subscription receives


class ConsumerReports:
    """Records the reports of AMQP subscriptions in the delivery ledger."""

    def __init__(self, reader: JournalReader, deliveries: Deliveries) -> None:
        self._reader = reader
        self._deliveries = deliveries

    async def acknowledge(
        self, subscription: Subscription, positions: Sequence[Position]
    ) -> list[ReportResult]:
        """Record that the consumer settled these events. A repeated report changes nothing.

        Raises Conflict for deliveries other than AMQP, where the receiver settles each event.
        """
        if subscription.delivery is not Delivery.AMQP:
            raise Conflict(
                f"Subscription {subscription.name} is delivered by {subscription.delivery}, which "
                "settles events itself. Send reports only for AMQP subscriptions."
            )
        known = await self._known(subscription, positions)
        if known:
            await self._deliveries.record_acknowledged(subscription.key, known)
        return [ReportResult.NOTED if each in known else ReportResult.UNKNOWN for each in positions]

    async def _known(
        self, subscription: Subscription, positions: Iterable[Position]
    ) -> set[Position]:
        """The positions of events that the subscription receives."""
        if subscription.filters:
            entries = await self._reader.entries_at(list(set(positions)))
            return {
                Position(entry.shard, entry.sequence)
                for entry in entries
                if subscription.wants(entry.event.type) and subscription.accepts(entry)
            }
        found = await self._reader.positions_with_types(
            subscription.type_expression, list(set(positions))
        )
        return {Position(shard, sequence) for shard, sequence in found}
