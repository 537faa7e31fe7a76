"""Runs one build: reads its feed, applies batches, and goes on after every outage."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import httpx
import structlog

from consumers.outcomes import RetryPolicy
from consumers.projection.batches import BATCH, Batches, Held
from consumers.projection.definition import Connection, Projection
from consumers.projection.failures import OUTAGES
from consumers.projection.feeds import Feed
from consumers.projection.received import Backlog
from consumers.projection.restores import note_restore
from consumers.projection.store import connect

IDLE = 1.0  # seconds without an event after which a build notes that it is up to date
POLL = 0.05  # seconds until a build that may not go on looks again
_OUTAGES: tuple[type[BaseException], ...] = (*OUTAGES, httpx.TransportError)
_PAUSE = RetryPolicy(first_delay=0.2, longest_delay=10.0)
_SEEN = """
UPDATE projections.builds SET seen = clock_timestamp(), waiting = NULL
WHERE projection = $1 AND build = $2
"""
_OWN = "SELECT pg_try_advisory_lock(hashtextextended($1, 0))"
_log = structlog.get_logger()


class BuildRunner:
    """Applies events to one build, alone: other processes that run it wait for this one."""

    def __init__(
        self, projection: Projection, build: int, url: str, feed: Feed, *, batch: int = BATCH
    ) -> None:
        self._projection, self._build = projection, build
        self._url, self._feed, self._batch = url, feed, batch
        self._failed = 0

    async def run(self) -> None:
        """Run until cancelled. Raises BuildDropped, Diverged, or Problem of the feed."""
        while True:
            try:
                async with self._owned() as connection:
                    await self._apply_all(connection)
            except Held:
                await asyncio.sleep(POLL)
            except _OUTAGES as error:
                self._failed += 1
                _log.warning(
                    "projection.interrupted",
                    projection=self._projection.name,
                    build=self._build,
                    error=type(error).__name__,
                )
                await asyncio.sleep(_PAUSE.delay(min(self._failed, 10)))

    @asynccontextmanager
    async def _owned(self) -> AsyncIterator[Connection]:
        """A connection that holds the build's advisory lock: both end together."""
        connection = await connect(self._url)
        try:
            name = f"projection {self._projection.name} {self._build}"
            while not await connection.fetchval(_OWN, name):  # noqa: ASYNC110 - nothing tells it
                await asyncio.sleep(IDLE)
            yield connection
        finally:
            with suppress(*OUTAGES):
                await connection.close(timeout=5)

    async def _apply_all(self, connection: Connection) -> None:
        position = await connection.fetchval(
            "SELECT position FROM projections.builds WHERE projection = $1 AND build = $2",
            self._projection.name,
            self._build,
        )
        async with Backlog(self._feed, position or "") as backlog:
            batches = Batches(self._projection, self._build, connection, backlog)
            while True:
                await self._apply_some(connection, backlog, batches)

    async def _apply_some(self, connection: Connection, backlog: Backlog, batches: Batches) -> None:
        try:
            applied = await batches.apply(self._batch)
        except Held:
            await asyncio.sleep(POLL)
            return
        if applied:
            self._failed = 0
        elif (restored := backlog.restored) is not None:
            await note_restore(connection, self._projection.name, self._build, restored)
            backlog.passed_restore()
        elif next(backlog.waiting(), None) is not None:
            await backlog.wait(POLL)
        else:
            await connection.execute(_SEEN, self._projection.name, self._build)
            await backlog.wait(IDLE)
