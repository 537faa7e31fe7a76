"""Reading the journal: in order from a place, or one entry by its place or its identity."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import asyncpg
import msgspec

from gateway.base.database import OUTAGES
from gateway.base.errors import JournalUnavailable
from gateway.base.event import AttributeValue, Event
from gateway.journal import sql
from gateway.journal.entry import Appended, Cursor, Entry

_attributes = msgspec.json.Decoder(dict[str, AttributeValue]).decode
LATELY = 20_000  # entries of a shard
SPAN = 2_000  # numbers of a shard that are looked through for their types
_AWAY = "the journal does not answer: try again"


class JournalReader:
    """Reads through a pool; every method raises JournalUnavailable when PostgreSQL is away."""

    def __init__(self, pool: asyncpg.Pool, *, timeout: float) -> None:
        self._pool = pool
        self._timeout = timeout

    async def after(self, shard: int, place: Cursor, *, limit: int) -> list[Entry]:
        """The next entries of a shard in order, at most `limit`."""
        rows = await self._fetch(sql.READ, shard, place.sequence, place.recorded, limit)
        return [_entry(shard, row) for row in rows]

    async def matching(
        self, shard: int, place: Cursor, *, until: int, types: str, limit: int
    ) -> list[Entry]:
        """The next entries up to `until` whose type matches the regular expression `types`."""
        rows = await self._fetch(
            sql.READ_TYPES, shard, place.sequence, place.recorded, until, types, limit
        )
        return [_entry(shard, row) for row in rows]

    async def types_between(
        self, low: Mapping[int, Cursor], high: Mapping[int, Cursor]
    ) -> frozenset[str] | None:
        """The types of what came between two heads; None where that is too much to look through."""
        moved = [shard for shard, head in high.items() if head != low.get(shard)]
        if any(
            shard not in low or high[shard].sequence - low[shard].sequence > SPAN for shard in moved
        ):
            return None
        rows = await self._fetch(
            sql.TYPES_BETWEEN,
            moved,
            [low[shard].sequence for shard in moved],
            [low[shard].recorded for shard in moved],
            [high[shard].sequence for shard in moved],
            SPAN,
        )
        return frozenset(row[0] for row in rows)

    async def entry_at(self, shard: int, sequence: int) -> Entry | None:
        """The entry at a place, or None."""
        rows = await self._fetch(sql.ENTRY_AT, shard, sequence)
        return _entry(shard, rows[0]) if rows else None

    async def entries_at(self, places: Sequence[tuple[int, int]]) -> list[Entry]:
        """The entries at these places: shard and sequence."""
        found = []
        for shard in {shard for shard, _ in places}:
            wanted = [sequence for each, sequence in places if each == shard]
            rows = await self._fetch(sql.ENTRIES_AT, shard, wanted)
            found += [_entry(shard, row) for row in rows]
        return found

    async def positions_with_types(
        self, types: str, places: Sequence[tuple[int, int]]
    ) -> list[tuple[int, int]]:
        """Those of the places at which an entry stands whose type matches the expression."""
        found = []
        for shard in {shard for shard, _ in places}:
            wanted = [sequence for each, sequence in places if each == shard]
            rows = await self._fetch(sql.PLACES_OF, shard, wanted, types)
            found += [(shard, row[0]) for row in rows]
        return found

    async def find(self, identity: bytes) -> Entry | None:
        """The entry that holds an identity, see `Event.identity`, or None."""
        rows = await self._fetch(sql.IDENTITY, identity)
        if not rows:
            return None
        shard, sequence, recorded, _ = rows[0]
        found = await self._fetch(sql.ENTRY_AT_TIME, shard, sequence, recorded)
        return _entry(shard, found[0]) if found else None

    async def find_all(self, identities: Iterable[bytes]) -> dict[bytes, Entry]:
        """The entries that hold these identities, by identity; those that none holds are left out.

        Both look-ups are one query.
        """
        rows = await self._fetch(sql.HOLDING, list(identities))
        return {identity: _entry(shard, row) for shard, *row, identity in rows}

    async def find_appended(self, identity: bytes) -> Appended | None:
        """Where an identity stands already, or None."""
        rows = await self._fetch(sql.IDENTITY, identity)
        if not rows:
            return None
        shard, sequence, recorded, digest = rows[0]
        return Appended(shard, sequence, recorded, digest, True)

    async def recent_publishers(self, type: str) -> dict[str, datetime]:
        """Which clients published a type lately (in the last entries of each shard), and when."""
        rows = await self._fetch(sql.SENDERS, type, LATELY)
        return {client: recorded for client, recorded in rows}

    async def heads(self) -> dict[int, Cursor]:
        """The last place of every shard."""
        return {
            shard: Cursor(last, recorded) for shard, last, recorded in await self._fetch(sql.HEADS)
        }

    async def relay_cursor(self, shard: int) -> int:
        """The number up to which a shard has been relayed."""
        rows = await self._fetch(sql.CURSOR, shard)
        return int(rows[0][0]) if rows else 0

    async def relay_cursors(self) -> dict[int, int]:
        """The number up to which each shard has been relayed."""
        return {shard: cursor for shard, cursor in await self._fetch(sql.CURSORS)}

    async def backlog(self) -> int:
        """How many entries are not relayed yet."""
        return int((await self._fetch(sql.BACKLOG))[0][0])

    async def require_writable(self) -> None:
        """Raises JournalUnavailable unless the server takes writes."""
        if (await self._fetch(sql.READ_ONLY))[0][0]:
            raise JournalUnavailable("the journal cannot be written now: try again")

    async def cursors_before(self, time: datetime) -> dict[int, Cursor]:
        """Per shard the last place recorded before `time`.

        Found by bisection, as times and numbers of a shard grow together: a few dozen look-ups
        however long the journal is, and no index to keep.
        """
        places = {}
        for shard, head in (await self.heads()).items():
            low, high = 0, head.sequence
            while low < high:
                middle = (low + high + 1) // 2
                rows = await self._fetch(sql.RECORDED_AT, shard, middle)
                if rows and rows[0][0] < time:
                    low = middle
                else:
                    high = middle - 1
            places[shard] = Cursor(low)
        return places

    async def _fetch(self, statement: str, *arguments: Any) -> Sequence[Any]:
        try:
            async with self._pool.acquire(timeout=self._timeout) as connection:
                rows: Sequence[Any] = await connection.fetch(
                    statement, *arguments, timeout=self._timeout
                )
                return rows
        except OUTAGES as error:
            raise JournalUnavailable(_AWAY) from error


def _entry(shard: int, row: Any) -> Entry:
    (
        sequence,
        recorded,
        source,
        id_,
        type_,
        subject,
        attributes,
        data,
        is_binary,
        digest,
        client,
        contract_version,
    ) = row
    event = Event(id_, source, type_, subject, _attributes(attributes), data, is_binary)
    return Entry(shard, sequence, recorded, event, digest, client, contract_version)
