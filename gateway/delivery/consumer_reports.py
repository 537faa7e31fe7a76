"""What consumers of queues report as settled, which the broker cannot tell."""

from collections.abc import Iterable, Sequence
from enum import StrEnum

from gateway.base.errors import Conflict
from gateway.delivery.store import Deliveries
from gateway.journal import JournalReader, Position
from gateway.subscriptions import Delivery, Subscription


class ReportResult(StrEnum):
    """What became of a sequence in a report."""

    NOTED = "noted"  # now, or in a report before
    UNKNOWN = "unknown"  # no event of the journal that this subscription is to get


class ConsumerReports:
    """Takes reports of AMQP subscriptions into the ledger."""

    def __init__(self, reader: JournalReader, deliveries: Deliveries) -> None:
        self._reader = reader
        self._deliveries = deliveries

    async def acknowledged(
        self, subscription: Subscription, positions: Sequence[Position]
    ) -> list[ReportResult]:
        """Note that its consumer has settled these events; repeating it does no harm.

        Raises Conflict for what is not delivered over AMQP: there each call settles itself.
        """
        if subscription.delivery is not Delivery.AMQP:
            raise Conflict(
                f"{subscription.name} is delivered by {subscription.delivery}: what is settled "
                "there needs no report"
            )
        real = await self._real(subscription, positions)
        if real:
            await self._deliveries.report(subscription.key, real)
        return [
            ReportResult.NOTED if position in real else ReportResult.UNKNOWN
            for position in positions
        ]

    async def _real(
        self, subscription: Subscription, positions: Iterable[Position]
    ) -> set[Position]:
        """Those at which an event stands that it is to get."""
        if subscription.filters:
            entries = await self._reader.entries_at(list(set(positions)))
            return {
                Position(entry.shard, entry.sequence)
                for entry in entries
                if subscription.wants(entry.event.type) and subscription.accepts(entry.event)
            }
        places = await self._reader.positions_with_types(
            subscription.type_expression, list(set(positions))
        )
        return {Position(shard, sequence) for shard, sequence in places}
