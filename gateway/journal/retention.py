"""Retention: removes what its contract keeps no longer, by functions that the database guards.

The functions decide what has expired (`retention_runs.sql`, decision 0032). This calls them in
small steps with pauses, and reports what went and what is held.
"""

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import asyncpg
from prometheus_client import Counter, Gauge

from gateway.base.database import database_errors
from gateway.base.stop import Stop
from gateway.base.telemetry import METRICS, log

STEP = 20_000  # entries that are counted or copied in one transaction: 0.1 to 0.4 s, measured
TRIES, PAUSE = 30, 1.0  # to get the lock under which a partition is replaced; seconds between them
TIMEOUT = 300.0  # seconds; a step takes far less
REMOVED = Counter(
    "nusabus_retention_removed",
    "Rows that retention removed, by kind: `events`, or the table",
    ["kind"],
    registry=METRICS,
)
HELD = Gauge(
    "nusabus_retention_held",
    "Events whose time is over and that somebody still has to get, by reason",
    ["reason"],
    registry=METRICS,
)
FINISHED = Gauge(
    "nusabus_retention_finished",
    "When the last run of retention ended, in Unix seconds",
    registry=METRICS,
)
REASONS = ("relay", "unread", "open", "dead-letter")


class RetentionWorker:
    """Runs retention through a connection of its own, as a member of nusabus_retention."""

    def __init__(
        self, connect: Callable[[], Awaitable[asyncpg.Connection]], stop: Stop, *, step: int = STEP
    ) -> None:
        self._connect = connect
        self._stop = stop
        self._step = step
        self._known: set[tuple[Any, ...]] = set()

    async def run_once(self) -> None:
        """Remove what has expired. What was not finished is continued by the next run.

        Several processes may run at once: each step is one transaction, and they take turns.
        Raises Unavailable.
        """
        with database_errors():
            connection = await self._connect()
            try:
                await self._repeat(connection, "SELECT retention_count($1)")
                if not self._stop:
                    self._report(await connection.fetch("SELECT * FROM retention_decide()"))
                await self._repeat(connection, "SELECT retention_copy($1)")
                while not self._stop and await self._replace(connection):
                    pass
                await self._drop(connection)
                await self._forget(connection)
                await self._repeat(connection, "SELECT retention_forget_identities($1)")
            finally:
                await connection.close()
        FINISHED.set_to_current_time()

    async def _repeat(self, connection: asyncpg.Connection, statement: str) -> None:
        """Step by step, and as long a rest after each, until nothing is left to do."""
        while not self._stop:
            began = time.monotonic()
            if not await connection.fetchval(statement, self._step, timeout=TIMEOUT):
                return
            await self._stop.sleep(time.monotonic() - began)

    async def _replace(self, connection: asyncpg.Connection) -> bool:
        """Put one copy in the place of its month; False if there is none, or no lock for it."""
        for _ in range(TRIES):
            try:
                rows = await connection.fetch("SELECT * FROM retention_swap()", timeout=TIMEOUT)
            except asyncpg.LockNotAvailableError:
                await self._stop.sleep(PAUSE)
                if self._stop:
                    return False
                continue
            for month, type_, entries, size in rows:
                REMOVED.labels("events").inc(entries)
                log().info(
                    "retention.removed", type=type_, month=f"{month:%Y-%m}", count=entries,
                    bytes=size,
                )  # fmt: skip
            return bool(rows)
        log().warning("retention.waits", tries=TRIES)
        return False

    async def _drop(self, connection: asyncpg.Connection) -> None:
        try:
            await connection.fetchval("SELECT retention_drop()", timeout=TIMEOUT)
        except asyncpg.LockNotAvailableError:
            log().warning("retention.waits", tries=1)

    async def _forget(self, connection: asyncpg.Connection) -> None:
        """Delete rows of other evidence, as long as there are more than one step takes."""
        full = True
        while full and not self._stop:
            began = time.monotonic()
            rows = await connection.fetch(
                "SELECT * FROM retention_forget($1)", self._step, timeout=TIMEOUT
            )
            for kind, count in rows:
                REMOVED.labels(kind).inc(count)
                log().info("retention.forgotten", kind=kind, count=count)
            full = any(count >= self._step for _, count in rows)
            await self._stop.sleep(time.monotonic() - began)

    def _report(self, held: Sequence[Any]) -> None:
        """Gauges of what is held, and one log line for each that is new."""
        found = {tuple(row)[:5]: row["r_entries"] for row in held}
        for reason in REASONS:
            HELD.labels(reason).set(sum(n for key, n in found.items() if key[4] == reason))
        for month, type_, organisation, subscription, reason in sorted(found.keys() - self._known):
            log().warning(
                "retention.held", type=type_, month=f"{month:%Y-%m}", organisation=organisation,
                subscription=subscription, reason=reason,
            )  # fmt: skip
        self._known = set(found)
