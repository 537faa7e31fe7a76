"""Reads the journal: in order from a cursor, or entries by position or identity."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import asyncpg

from gateway.base.database import database_errors
from gateway.base.errors import JournalUnavailable
from gateway.journal import sql
from gateway.journal.entry import Appended, Cursor, Entry
from gateway.journal.incarnation import Incarnation
from gateway.journal.origins import Origin, Origins

RECENT = 20_000  # entries of a shard
SPAN = 2_000  # entries of a shard whose types are read at most


class JournalReader:
    """Reads through a pool. Every method raises JournalUnavailable when PostgreSQL is away."""

    def __init__(self, pool: asyncpg.Pool, incarnation: Incarnation, *, timeout: float) -> None:
        """Each connection of the pool has entered `incarnation`."""
        self._pool = pool
        self._timeout = timeout
        self.incarnation = incarnation
        self._origins = Origins(self._fetch)

    async def after(self, shard: int, cursor: Cursor, *, limit: int) -> list[Entry]:
        """The next entries of a shard in order, at most `limit`."""
        rows = await self._fetch(sql.READ, shard, cursor.sequence, cursor.recorded, limit)
        return await self._entries(shard, rows)

    async def matching(
        self, shard: int, cursor: Cursor, *, until: int, types: str, limit: int
    ) -> list[Entry]:
        """The next entries up to `until` whose type matches the regular expression `types`."""
        rows = await self._fetch(
            sql.READ_TYPES, shard, cursor.sequence, cursor.recorded, until, types, limit
        )
        return await self._entries(shard, rows)

    async def types_between(
        self, low: Mapping[int, Cursor], high: Mapping[int, Cursor]
    ) -> dict[int, set[str]] | None:
        """By shard, the types of the entries between two heads; None where too many to read."""
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
        found: dict[int, set[str]] = {}
        for shard, type in rows:
            found.setdefault(shard, set()).add(type)
        return found

    def span_end(self, shard: int, after: Cursor, head: Cursor, span: int) -> int:
        """Where a scan of `span` sequences after a cursor ends; gaps of the journal count none."""
        return self.incarnation.span_end(shard, after.sequence, head.sequence, span)

    async def entry_at(self, shard: int, sequence: int) -> Entry | None:
        """The entry at a position, or None."""
        rows = await self._fetch(sql.ENTRY_AT, shard, sequence)
        return next(iter(await self._entries(shard, rows)), None)

    async def stored(self, appended: Appended) -> Entry | None:
        """The entry that an append tells of, or None where it was taken out of the journal."""
        where = (appended.shard, appended.sequence, appended.recorded)
        rows = await self._fetch(sql.ENTRY_AT_TIME, *where)
        return next(iter(await self._entries(appended.shard, rows)), None)

    async def entries_at(self, positions: Sequence[tuple[int, int]]) -> list[Entry]:
        """The entries at these positions."""
        found = []
        for shard in {shard for shard, _ in positions}:
            wanted = [sequence for each, sequence in positions if each == shard]
            rows = await self._fetch(sql.ENTRIES_AT, shard, wanted)
            found += await self._entries(shard, rows)
        return found

    async def positions_with_types(
        self, types: str, positions: Sequence[tuple[int, int]]
    ) -> list[tuple[int, int]]:
        """Those positions whose entry has a type that matches the regular expression `types`."""
        found = []
        for shard in {shard for shard, _ in positions}:
            wanted = [sequence for each, sequence in positions if each == shard]
            rows = await self._fetch(sql.POSITIONS_WITH_TYPES, shard, wanted, types)
            found += [(shard, row[0]) for row in rows]
        return found

    async def find(self, identity: bytes) -> Entry | None:
        """The entry with this `Event.identity`, or None."""
        rows = await self._fetch(sql.IDENTITY, identity)
        if not rows:
            return None
        shard, sequence, recorded, _ = rows[0]
        found = await self._fetch(sql.ENTRY_AT_TIME, shard, sequence, recorded)
        return next(iter(await self._entries(shard, found)), None)

    async def find_all(self, identities: Iterable[bytes]) -> dict[bytes, Entry]:
        """The entries with these identities, by identity; unknown identities are left out.

        Both look-ups are one query.
        """
        rows = await self._fetch(sql.ENTRIES_BY_IDENTITY, list(identities))
        origins = await self._origins.of(row["origin"] for row in rows)
        return {identity: _entry(shard, row, origins) for shard, *row, identity in rows}

    async def find_appended(self, identity: bytes) -> Appended | None:
        """Where the event with this identity is stored, or None."""
        rows = await self._fetch(sql.IDENTITY, identity)
        if not rows:
            return None
        shard, sequence, recorded, digest = rows[0]
        return Appended(shard, sequence, recorded, digest, True)

    async def recent_publishers(self, type: str) -> dict[str, datetime]:
        """Who published a type recently (in the last entries of each shard), and when."""
        rows = await self._fetch(sql.RECENT_PUBLISHERS, type, RECENT)
        return {publisher: recorded for publisher, recorded in rows}

    async def heads(self) -> dict[int, Cursor]:
        """A cursor at the last entry of every shard."""
        return await self._heads_of(await self._fetch(sql.HEADS))

    async def floors(self, types: str) -> dict[int, Cursor]:
        """By shard, up to where entries whose type matches this regular expression were removed."""
        rows = await self._fetch(sql.FLOORS, types)
        return {shard: Cursor(sequence, recorded) for shard, sequence, recorded in rows}

    async def was_removed(self, shard: int, sequence: int) -> bool:
        """Whether there was an entry at a position where now is none."""
        rows = await self._fetch(sql.HEAD_OF, shard)
        known = bool(rows) and 1 <= sequence <= rows[0][0]
        return known and self.incarnation.gap_at(shard, sequence) is None

    async def recovered(self) -> bool:
        """Whether the operator has looked at what RabbitMQ holds beyond each restored journal."""
        return bool((await self._fetch(sql.RECOVERED))[0][0])

    async def set_recovered(self, number: int) -> None:
        """The operator has, up to this incarnation."""
        await self._fetch(sql.SET_RECOVERED, number)

    async def relay_cursor(self, shard: int) -> int:
        """The sequence up to which a shard has been relayed."""
        rows = await self._fetch(sql.CURSOR, shard)
        return int(rows[0][0]) if rows else 0

    async def relay_cursors(self) -> dict[int, int]:
        """The sequence up to which each shard has been relayed."""
        return {shard: cursor for shard, cursor in await self._fetch(sql.CURSORS)}

    async def backlog(self) -> int:
        """How many entries are not relayed yet, in all shards."""
        rows = await self._fetch(sql.HEADS_AND_CURSORS)
        heads = await self._heads_of([row[:-1] for row in map(tuple, rows)])
        return sum(
            self.incarnation.entries_between(row[0], row[-1], heads[row[0]].sequence)
            for row in rows
        )

    async def _heads_of(self, rows: Sequence[Any]) -> dict[int, Cursor]:
        """The heads in these rows. Raises JournalRestored where they are of another journal."""
        heads: dict[int, Cursor] = {}
        fits = True
        for shard, last, recorded, incarnation, same_table in rows:
            fits &= self.incarnation.fits(shard, last, incarnation, same_table=same_table)
            heads[shard] = Cursor(last, recorded)
        if not fits:
            with database_errors(JournalUnavailable):
                async with self._pool.acquire(timeout=self._timeout) as connection:
                    await self.incarnation.enter(connection)
        self.incarnation.saw({s: (each.sequence, each.recorded) for s, each in heads.items()})
        return heads

    async def require_writable(self) -> None:
        """Raise JournalUnavailable if the server is read-only."""
        if (await self._fetch(sql.READ_ONLY))[0][0]:
            raise JournalUnavailable("The journal is read-only now. Try again.")

    async def cursors_before(self, time: datetime) -> dict[int, Cursor]:
        """Per shard, the cursor after the last entry recorded before `time`.

        Bisection finds it, because times and sequences of a shard grow together: a few dozen
        look-ups however long the journal is, and no index to maintain.
        """
        cursors = {}
        for shard, head in (await self.heads()).items():
            low, high = 0, head.sequence
            while low < high:
                middle = (low + high + 1) // 2
                rows = await self._fetch(sql.RECORDED_UP_TO, shard, middle)
                if rows and rows[0][0] >= time:
                    high = middle - 1
                else:  # without an entry up to there: all of them were removed
                    low = middle
            cursors[shard] = Cursor(low)
        return cursors

    async def _entries(self, shard: int, rows: Sequence[Any]) -> list[Entry]:
        origins = await self._origins.of({row["origin"] for row in rows})
        return [_entry(shard, row, origins) for row in rows]

    async def _fetch(self, statement: str, *arguments: Any) -> Sequence[Any]:
        with database_errors(JournalUnavailable):
            async with self._pool.acquire(timeout=self._timeout) as connection:
                rows: Sequence[Any] = await connection.fetch(
                    statement, *arguments, timeout=self._timeout
                )
                return rows


def _entry(shard: int, row: Any, origins: Mapping[int, Origin]) -> Entry:
    sequence, recorded, source, id_, subject, attributes, data, number, *facts = row
    origin = Origin.of(*facts) if number is None else origins[number]
    event = origin.event(id_, source, subject, attributes, data)
    return Entry(
        shard, sequence, recorded, event, origin.client, origin.publisher, origin.contract_version
    )
