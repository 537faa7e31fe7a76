"""Scans the journal for the entries of a journal-delivered subscription and opens deliveries."""

from typing import NamedTuple

from gateway.base.database import Database
from gateway.base.snapshot import Snapshot
from gateway.contracts import Catalogue, load_contracts
from gateway.delivery.recent_types import RecentTypes
from gateway.delivery.store import Deliveries, NewDelivery
from gateway.journal import Cursor, Entry, JournalReader, Position
from gateway.request_reply import expired
from gateway.subscriptions import Subscription
from gateway.subscriptions.routing import routed_by

SPAN = 20_000  # sequences scanned by one query: bounds its time where the types are rare
EXPIRED_BATCH = 500  # entries scanned together while they are too old
EXPIRED_LIMIT = 5_000  # dead letters after which one call returns


class OpenedDeliveries(NamedTuple):
    """Entries whose deliveries were opened, and whether the scan reached the end of the journal."""

    entries: list[Entry]
    caught_up: bool


class JournalScanner:
    """Advances the cursors of subscriptions through the journal."""

    def __init__(
        self,
        database: Database,
        reader: JournalReader,
        deliveries: Deliveries,
        catalogue: Snapshot[Catalogue],
        recent: RecentTypes,
    ) -> None:
        self._database = database
        self._reader = reader
        self._deliveries = deliveries
        self._catalogue = catalogue
        self._recent = recent

    async def open_deliveries(self, subscription: Subscription, *, limit: int) -> OpenedDeliveries:
        """Open up to `limit` further deliveries and return their entries.

        Entries older than `max_age` become dead letters. A shard that another process advances at
        the same time is left to that process.
        """
        heads = await self._reader.heads()
        opened: list[Entry] = []
        expired_count, caught_up = 0, True
        for shard, cursor in (await self._behind(subscription)).items():
            batch = limit - len(opened)
            while len(opened) < limit and cursor.sequence < heads[shard].sequence:
                until = self._reader.span_end(shard, cursor, heads[shard], SPAN)
                entries, after = await self.scan(
                    subscription, shard, cursor, until=until, limit=batch
                )
                scan = _split_by_age(subscription, entries, after, limit - len(opened))
                if not await self._advance(subscription, shard, cursor, scan):
                    break
                opened += scan.new
                cursor = scan.after
                expired_count += len(scan.expired)
                if expired_count >= EXPIRED_LIMIT:
                    return OpenedDeliveries(opened, False)
                batch = EXPIRED_BATCH if scan.expired else limit - len(opened)
            caught_up &= cursor.sequence >= heads[shard].sequence
        return OpenedDeliveries(opened, caught_up)

    async def _behind(self, subscription: Subscription) -> dict[int, Cursor]:
        """The cursors, after those were moved that need no scan: in one statement."""
        cursors = await self._deliveries.cursors(subscription.key)
        moved = {
            shard: (cursor, after)
            for shard, cursor in cursors.items()
            if (after := self._recent.pass_over(subscription, shard, cursor)) != cursor
        }
        if moved:
            await self._deliveries.pass_over(subscription.key, moved)
        return cursors | {shard: after for shard, (_, after) in moved.items()}

    async def scan(
        self,
        subscription: Subscription,
        shard: int,
        cursor: Cursor,
        *,
        until: int,
        limit: int,
    ) -> tuple[list[Entry], Cursor]:
        """The next entries for the subscription, and the cursor that the scan reached."""
        cursor = self._recent.pass_over(subscription, shard, cursor)
        if cursor.sequence >= until:
            return [], cursor
        entries = await self._reader.matching(
            shard,
            cursor,
            until=until,
            types=subscription.type_expression,
            limit=limit,
        )
        recorded = entries[-1].recorded if entries else cursor.recorded
        reached = entries[-1].sequence if len(entries) == limit else until
        return await self.select(subscription, entries), Cursor(reached, recorded)

    async def select(self, subscription: Subscription, entries: list[Entry]) -> list[Entry]:
        """Those of these entries that the subscription receives; all are of its types."""
        types = {entry.event.type for entry in entries}
        await load_contracts(types, self._catalogue, self._database)
        return [entry for entry in entries if self._receives(subscription, entry)]

    def _receives(self, subscription: Subscription, entry: Entry) -> bool:
        if not routed_by(subscription, entry.event.type, self._catalogue.value):
            return False
        if subscription.is_responder and expired(entry.event, entry.recorded):
            return False
        return subscription.accepts(entry)

    async def _advance(
        self, subscription: Subscription, shard: int, before: Cursor, scan: "_Scan"
    ) -> bool:
        return await self._deliveries.advance(
            subscription.key,
            shard,
            before=before,
            after=scan.after,
            new=[_new_delivery(subscription, entry) for entry in scan.new],
            expired=[_new_delivery(subscription, entry) for entry in scan.expired],
            in_flight=subscription.terms.in_flight,
        )


class _Scan(NamedTuple):
    """The result of one scan, cut to the number of deliveries that may be opened."""

    expired: list[Entry]
    new: list[Entry]
    after: Cursor


def _split_by_age(
    subscription: Subscription, entries: list[Entry], after: Cursor, limit: int
) -> _Scan:
    expired: list[Entry] = []
    new: list[Entry] = []
    for entry in entries:
        if subscription.terms.too_old(entry.recorded):
            expired.append(entry)
        elif len(new) < limit:
            new.append(entry)
        else:
            break
    else:
        return _Scan(expired, new, after)
    last = max(expired + new, key=lambda each: each.sequence)
    return _Scan(expired, new, Cursor(last.sequence, last.recorded))


def _new_delivery(subscription: Subscription, entry: Entry) -> NewDelivery:
    ordering_key = entry.event.ordering_key if subscription.ordered else ""
    position = Position(entry.shard, entry.sequence)
    return NewDelivery(position, entry.recorded, entry.event.type, ordering_key)
