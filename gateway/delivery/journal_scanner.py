"""Finds in the journal what a served subscription is to get, and opens it for delivery."""

from typing import NamedTuple

from gateway.base.database import Database
from gateway.base.snapshot import Snapshot
from gateway.contracts import Catalogue, load_contracts
from gateway.delivery.store import Deliveries, NewDelivery
from gateway.journal import Cursor, Entry, JournalReader, Position
from gateway.request_reply import expired
from gateway.subscriptions import Subscription
from gateway.subscriptions.routing import routed_by

SPAN = 20_000  # numbers looked through by one query, so that rare types do not make it endless
OLD = 500  # entries that are looked at together while they are too old
PATIENT = 5_000  # of them for which one call looks on


class Found(NamedTuple):
    """What was opened, and whether nothing more was there to be found."""

    entries: list[Entry]
    caught_up: bool


class JournalScanner:
    """Moves the frontier of a subscription up the journal."""

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

    async def find(self, subscription: Subscription, *, limit: int) -> Found:
        """Open up to `limit` further deliveries; returns their entries.

        What is too old becomes a dead letter. Where another process advances the same
        subscription at that moment, that shard is left to it.
        """
        heads = await self._reader.heads()
        found: list[Entry] = []
        buried, caught_up = 0, True
        for shard, cursor in (await self._deliveries.cursors(subscription.key)).items():
            piece = limit - len(found)
            while len(found) < limit and cursor.sequence < heads[shard].sequence:
                until = min(heads[shard].sequence, cursor.sequence + SPAN)
                wanted, after = await self.look(
                    subscription, shard, cursor, until=until, limit=piece
                )
                part = _cut(subscription, wanted, after, limit - len(found))
                if not await self._advance(subscription, shard, cursor, part):
                    break
                found += part.young
                cursor = part.after
                buried += len(part.old)
                if buried >= PATIENT:
                    return Found(found, False)
                piece = OLD if part.old else limit - len(found)
            caught_up &= cursor.sequence >= heads[shard].sequence
        return Found(found, caught_up)

    async def _advance(
        self, subscription: Subscription, shard: int, before: Cursor, part: "_Scan"
    ) -> bool:
        return await self._deliveries.advance(
            subscription.key,
            shard,
            before=before,
            after=part.after,
            fresh=[_fresh(subscription, entry) for entry in part.young],
            old=[_fresh(subscription, entry) for entry in part.old],
            in_flight=subscription.terms.in_flight,
        )

    async def look(
        self,
        subscription: Subscription,
        shard: int,
        cursor: Cursor,
        *,
        until: int,
        limit: int,
    ) -> tuple[list[Entry], Cursor]:
        """The next entries that it is to get, and up to where they were looked for."""
        entries = await self._reader.matching(
            shard,
            cursor,
            until=until,
            types=subscription.type_expression,
            limit=limit,
        )
        recorded = entries[-1].recorded if entries else cursor.recorded
        reached = entries[-1].sequence if len(entries) == limit else until
        await self._load_contracts(entries)
        wanted = [entry for entry in entries if self._is_for(subscription, entry)]
        return wanted, Cursor(reached, recorded)

    async def choose(self, subscription: Subscription, entries: list[Entry]) -> list[Entry]:
        """Of entries of its types that somebody has read already, those that it is to get."""
        await self._load_contracts(entries)
        return [entry for entry in entries if self._is_for(subscription, entry)]

    async def _load_contracts(self, entries: list[Entry]) -> None:
        types = {entry.event.type for entry in entries}
        await load_contracts(types, self._catalogue, self._database)

    def _is_for(self, subscription: Subscription, entry: Entry) -> bool:
        if not routed_by(subscription, entry.event.type, self._catalogue.value):
            return False
        if subscription.is_responder and expired(entry.event, entry.recorded):
            return False
        return subscription.accepts(entry.event)


class _Scan(NamedTuple):
    """What one look has found, as far as there is room for it."""

    old: list[Entry]
    young: list[Entry]
    after: Cursor


def _cut(subscription: Subscription, wanted: list[Entry], after: Cursor, room: int) -> _Scan:
    old: list[Entry] = []
    young: list[Entry] = []
    for entry in wanted:
        if subscription.terms.too_old(entry.recorded):
            old.append(entry)
        elif len(young) < room:
            young.append(entry)
        else:
            break
    else:
        return _Scan(old, young, after)
    last = max(old + young, key=lambda each: each.sequence)
    return _Scan(old, young, Cursor(last.sequence, last.recorded))


def _fresh(subscription: Subscription, entry: Entry) -> NewDelivery:
    order = entry.event.ordering_key if subscription.ordered else ""
    return NewDelivery(
        Position(entry.shard, entry.sequence), entry.recorded, entry.event.type, order
    )
