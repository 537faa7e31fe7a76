"""Leases: which process works on what, for a time, with a fencing number.

A process takes leases, renews them several times while they last, and gives them back. One that
stops, or is cut off, loses them by the clock. Every lease has an `epoch`, greater than those of all
its predecessors: a write that a former holder sends late names an old epoch and does nothing.

A row of a table and not a session's advisory lock: a process that is stopped, or cut off without
a reset, would keep a session lock for as long as its connection seems alive.
"""

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Generic, TypeVar

import asyncpg
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.base.transactions import Connection, Transactions

Key = tuple[Any, ...]


class LeaseLost(Exception):
    """Another process holds this lease now, or what it was for has ended."""


@dataclass(frozen=True)
class LeaseTable:
    """A table with the columns of `key`, `epoch`, `holder` and `expires`, and its statements.

    `key` maps each column of the primary key to its SQL type. `next_epoch` is SQL, where `l` is the
    row before; `first_epoch` is for a key without one. `holders` is a table (name, seen) of the
    processes that live.

    What is kept with a lease: `state` are further columns that a new holder reads. A renewal
    writes `progress` (name to SQL type) by the assignments of `write`, where `u` is what is
    written. `valid` is SQL that must hold for a row that is renewed.
    """

    name: str
    key: Mapping[str, str]
    holders: str
    first_epoch: str = "1"
    next_epoch: str = "l.epoch + 1"
    state: tuple[str, ...] = ()
    progress: Mapping[str, str] = field(default_factory=dict)
    write: tuple[str, ...] = ()
    valid: str = "true"

    # Names and types come from the code alone, values are parameters.
    # ruff: noqa: S608

    @cached_property
    def take(self) -> str:
        """Inserted in order, so that two that take at once do not wait for each other."""
        key, count = ", ".join(self.key), len(self.key)
        return f"""
            WITH vacant AS MATERIALIZED (
                SELECT {_columns("u", self.key)}
                FROM {_unnest(self.key)} LEFT JOIN {self.name} l USING ({key})
                WHERE l.expires IS NULL OR l.expires < clock_timestamp()
                ORDER BY random() LIMIT ${count + 1}
            )
            INSERT INTO {self.name} AS l ({key}, epoch, holder, expires)
            SELECT {_columns("v", self.key)}, {self.first_epoch}, ${count + 2},
                   clock_timestamp() + make_interval(secs => ${count + 3})
            FROM (SELECT * FROM vacant ORDER BY {key}) v
            ON CONFLICT ({key}) DO UPDATE
            SET epoch = {self.next_epoch}, holder = excluded.holder, expires = excluded.expires
            WHERE l.expires < clock_timestamp()
            RETURNING {_columns("l", [*self.key, "epoch", *self.state])}
        """

    @cached_property
    def renew(self) -> str:
        """The holder is compared as well: what arrives after a resignation prolongs nothing."""
        given = {**self.key, "epoch": "bigint", **self.progress}
        expires = f"expires = clock_timestamp() + make_interval(secs => ${len(given) + 1})"
        return f"""
            UPDATE {self.name} l SET {", ".join([*self.write, expires])}
            FROM {_unnest(given)}
            WHERE {_same(self.key)} AND l.epoch = u.epoch AND l.holder IS NOT NULL
              AND {self.valid}
            RETURNING {_columns("l", self.key)}
        """

    @cached_property
    def resign(self) -> str:
        """Give back what is still held under these epochs."""
        return f"""
            UPDATE {self.name} l SET expires = '-infinity', holder = NULL
            FROM {_unnest({**self.key, "epoch": "bigint"})}
            WHERE {_same(self.key)} AND l.epoch = u.epoch
        """

    @cached_property
    def fence(self) -> str:
        """Holds the row until the transaction ends, so that nobody takes over meanwhile."""
        columns = [*self.key, "epoch"]
        same = " AND ".join(f"{column} = ${n}" for n, column in enumerate(columns, 1))
        return f"SELECT 1 FROM {self.name} WHERE {same} FOR SHARE"

    @cached_property
    def attend(self) -> str:
        """Note that a process lives."""
        return f"""
            INSERT INTO {self.holders} (name, seen) VALUES ($1, clock_timestamp())
            ON CONFLICT (name) DO UPDATE SET seen = excluded.seen
        """

    @cached_property
    def attending(self) -> str:
        """How many processes were seen lately."""
        return f"""
            SELECT count(*) FROM {self.holders}
            WHERE seen > clock_timestamp() - make_interval(secs => $1)
        """

    @cached_property
    def leave(self) -> str:
        """Remove a process, and those that ended without a word."""
        return f"""
            DELETE FROM {self.holders}
            WHERE name = $1 OR seen < clock_timestamp() - interval '1 hour'
        """


def _columns(row: str, names: Iterable[str]) -> str:
    return ", ".join(f"{row}.{name}" for name in names)


def _same(key: Iterable[str]) -> str:
    return " AND ".join(f"l.{column} = u.{column}" for column in key)


def _unnest(columns: Mapping[str, str]) -> str:
    arrays = ", ".join(f"${n}::{type}[]" for n, type in enumerate(columns.values(), 1))
    return f"unnest({arrays}) AS u({', '.join(columns)})"


@dataclass(slots=True, eq=False)
class Lease:
    """The right to work on `key`, until `expires` by this process's monotonic clock.

    `state` is what the table held beside it when it was taken.
    """

    table: LeaseTable
    key: Key
    epoch: int
    expires: float
    state: Key = ()

    def __bool__(self) -> bool:
        """False once it has run out: another process may be at work already."""
        return time.monotonic() < self.expires

    def lose(self) -> None:
        """It is held no more, and no renewal that is under way brings it back."""
        self.expires = 0.0

    def prolong(self, until: float) -> None:
        """It was renewed, unless it was lost meanwhile."""
        if self.expires:
            self.expires = max(self.expires, until)

    def progress(self) -> Key:
        """What the next renewal writes."""
        return ()

    def wrote(self, progress: Key) -> None:
        """A renewal has written this."""

    async def fence(self, transaction: Connection | AsyncSession) -> None:
        """Let the rest of this transaction count only while the lease is held.

        Raises LeaseLost.
        """
        values = (*self.key, self.epoch)
        if isinstance(transaction, AsyncSession):
            connection = await transaction.connection()
            found = (await connection.exec_driver_sql(self.table.fence, values)).first() is not None
        else:
            found = bool(await transaction.fetch(self.table.fence, *values))
        if not found:
            self.lose()
            raise LeaseLost(self.key)


L = TypeVar("L", bound=Lease)


class Leases(Transactions, Generic[L]):
    """Takes, renews and gives back leases for the process `name`; all last `seconds`.

    Every method raises DatabaseUnavailable, after `seconds` at the latest.
    """

    def __init__(
        self, table: LeaseTable, kind: type[L], pool: asyncpg.Pool, *, name: str, seconds: float
    ) -> None:
        super().__init__(pool, timeout=seconds)
        self._table = table
        self._kind = kind
        self._name = name
        self._seconds = seconds

    async def fetch(self, statement: str, *arguments: Any) -> Sequence[Any]:
        """The rows of one statement, no later than a lease lasts."""
        async with self._connection() as connection:
            rows: Sequence[Any] = await connection.fetch(
                statement, *arguments, timeout=self._seconds
            )
            return rows

    async def attend(self) -> int:
        """Note that this process lives; returns how many do, itself included."""
        await self.fetch(self._table.attend, self._name)
        return max(1, int((await self.fetch(self._table.attending, self._seconds))[0][0]))

    async def leave(self) -> None:
        """Note that this process ends."""
        await self.fetch(self._table.leave, self._name)

    async def take(self, keys: Collection[Key], *, limit: int) -> list[L]:
        """Up to `limit` leases of these keys that nobody holds."""
        asked = time.monotonic()
        try:
            rows = await self.fetch(
                self._table.take, *self._arrays(keys), limit, self._name, self._seconds
            )
        except asyncpg.ForeignKeyViolationError:  # what one of them is for has ended this moment
            return []
        end = len(self._table.key)
        return [
            self._kind(
                self._table,
                tuple(row)[:end],
                row[end],
                asked + self._seconds,
                tuple(row)[end + 1 :],
            )
            for row in rows
        ]

    async def renew(self, leases: Iterable[L]) -> None:
        """Prolong leases in one statement, and write the progress of each.

        One that has run out, was replaced, or whose key has ended is lost and writes nothing.
        """
        asked = time.monotonic()
        wanted = [(lease, lease.progress()) for lease in leases if lease]
        if not wanted:
            return
        rows = await self.fetch(
            self._table.renew,
            *self._arrays([lease.key for lease, _ in wanted]),
            [lease.epoch for lease, _ in wanted],
            *map(list, zip(*(progress for _, progress in wanted), strict=True)),
            self._seconds,
        )
        kept = {tuple(row) for row in rows}
        for lease, progress in wanted:
            if lease.key in kept:
                lease.prolong(asked + self._seconds)
                lease.wrote(progress)
            else:
                lease.lose()

    async def resign(self, leases: Collection[L]) -> None:
        """Give leases back, so that another process may take them at once."""
        for lease in leases:
            lease.lose()
        if leases:
            await self.fetch(
                self._table.resign,
                *self._arrays([lease.key for lease in leases]),
                [lease.epoch for lease in leases],
            )

    def _arrays(self, keys: Collection[Key]) -> list[list[Any]]:
        return [[key[n] for key in keys] for n in range(len(self._table.key))]
