"""Carries out live effects: after their commit, in the order of each key, with the inbox as memory.

The row of an effect is noted with the position, at most once for an event. A crash between the
effect and its `done` calls it again, with the same key.
"""

import asyncio
import hashlib
from contextlib import suppress

import structlog

from consumers.events import event_of
from consumers.outcomes import RetryPolicy
from consumers.projection.definition import Connection, Projection
from consumers.projection.failures import OUTAGES, EventFailed
from consumers.projection.store import connect, create_tables

POLL = 0.1  # seconds
RETRY = RetryPolicy(attempts=8, first_delay=1.0, longest_delay=300.0)
_LEADS = """
SELECT version = $2 FROM projections.projections
JOIN projections.builds ON projection = name AND build = active WHERE name = $1
"""
_LOCK = "SELECT pg_try_advisory_lock(hashtextextended('live effects ' || $1, 0))"
_DUE = """
SELECT number, source, id, handler, event, attempts FROM projections.live_effects AS effect
WHERE projection = $1 AND done IS NULL AND failed IS NULL AND due <= clock_timestamp()
    AND NOT EXISTS (
        SELECT FROM projections.live_effects AS earlier
        WHERE earlier.projection = effect.projection AND earlier.key = effect.key
            AND earlier.number < effect.number AND earlier.done IS NULL AND earlier.failed IS NULL)
ORDER BY number LIMIT 100
"""
_DONE = """
UPDATE projections.live_effects SET done = clock_timestamp(), event = NULL WHERE number = $1
"""
_LATER = """
UPDATE projections.live_effects SET attempts = attempts + 1,
    due = clock_timestamp() + $2 * interval '1 second' WHERE number = $1
"""
_FAILED = """
UPDATE projections.live_effects SET attempts = attempts + 1, failed = $2 WHERE number = $1
"""
_log = structlog.get_logger()


class LiveEffects:
    """Carries out the live effects of a projection while a build of this version is active."""

    def __init__(self, projection: Projection, url: str, retry: RetryPolicy = RETRY) -> None:
        self._projection, self._url, self._retry = projection, url, retry

    async def run(self) -> None:
        """Run until cancelled. Of several processes one carries them out."""
        while True:
            with suppress(*OUTAGES):
                connection = await connect(self._url)
                try:
                    await create_tables(connection)
                    await self._run(connection)
                finally:
                    with suppress(*OUTAGES):
                        await connection.close(timeout=5)
            await asyncio.sleep(1.0)

    async def _run(self, connection: Connection) -> None:
        owned = False
        while True:
            leads = await connection.fetchval(
                _LEADS, self._projection.name, self._projection.version
            )
            owned = owned or (leads and await connection.fetchval(_LOCK, self._projection.name))
            if owned and not leads:
                return  # the connection is closed, and with it the lock
            if not owned or not await self._carry_out_due(connection):
                await asyncio.sleep(POLL)

    async def _carry_out_due(self, connection: Connection) -> int:
        rows = await connection.fetch(_DUE, self._projection.name)
        for row in rows:
            error = await self._carry_out(row["source"], row["id"], row["handler"], row["event"])
            if error is None:
                await connection.execute(_DONE, row["number"])
                continue
            attempt = row["attempts"] + 1
            reason = EventFailed(error).reason
            _log.warning(
                "projection.effect_failed",
                projection=self._projection.name,
                effect=row["handler"],
                attempt=attempt,
                reason=reason,
            )
            if attempt >= self._retry.attempts:
                await connection.execute(_FAILED, row["number"], reason)
            else:
                await connection.execute(_LATER, row["number"], self._retry.delay(attempt))
        return len(rows)

    async def _carry_out(self, source: str, id: str, handler: str, text: str) -> Exception | None:
        """Call one effect. Returns what it raised."""
        method = getattr(self._projection, handler, None)
        if handler not in self._projection.live_effects.values() or method is None:
            return LookupError(f"Version {self._projection.version} has no such live effect.")
        event = event_of(text)
        key = hashlib.sha256("\n".join((self._projection.name, handler, source, id)).encode())
        try:
            await method(event, key.hexdigest()[:32])
        except Exception as error:  # the reason is kept with the effect
            return error
        return None


async def retry_effects(connection: Connection, projection: str) -> int:
    """Carry out again what failed for good. Returns how many."""
    status = await connection.execute(
        "UPDATE projections.live_effects SET failed = NULL, attempts = 0, due = clock_timestamp() "
        "WHERE projection = $1 AND failed IS NOT NULL",
        projection,
    )
    return int(status.split()[-1])
