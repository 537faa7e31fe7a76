"""Parked events: retrying a key in its order, and giving an event up."""

from dataclasses import dataclass

from consumers.events import Event, event_of
from consumers.projection.batches import lock_build
from consumers.projection.definition import Connection, Projection
from consumers.projection.failures import EventFailed, failing_events
from consumers.projection.handling import handle
from consumers.projection.store import use_schema

_KEYS = """
SELECT DISTINCT ON (key) key, reason, parked, count(*) OVER (PARTITION BY key) AS events
FROM projections.parked_events WHERE projection = $1 AND build = $2 ORDER BY key, number
"""
_FIRST = """
SELECT number, event, effect FROM projections.parked_events
WHERE projection = $1 AND build = $2 AND key = $3 ORDER BY number LIMIT 1
"""
_VERSION = "SELECT version FROM projections.builds WHERE projection = $1 AND build = $2"
_RELEASE = "DELETE FROM projections.parked_events WHERE number = $1"
_REASON = "UPDATE projections.parked_events SET reason = $2 WHERE number = $1"
_DISCARD = """
INSERT INTO projections.discarded_events (projection, source, id, reason)
VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class ParkedKey:
    """A key whose events wait: why the first of them failed, and how many there are."""

    key: str
    reason: str
    events: int


async def parked_keys(connection: Connection, projection: str, build: int) -> list[ParkedKey]:
    """The keys that are parked in a build."""
    rows = await connection.fetch(_KEYS, projection, build)
    return [ParkedKey(row["key"], row["reason"] or "", row["events"]) for row in rows]


async def retry_key(connection: Connection, projection: Projection, build: int, key: str) -> int:
    """Apply the parked events of a key in their order. Returns how many were applied.

    Each is a commit of its own, and the build may go on between two. Events of the key that come
    meanwhile are parked behind. Raises EventFailed where one fails again: it and those behind it
    stay. LookupError for a build of another version; also what `lock_build` raises.
    """
    version = await connection.fetchval(_VERSION, projection.name, build)
    if version != projection.version:
        raise LookupError(
            f"Build {build} of {projection.name} has version {version}, the class has "
            f"{projection.version}. Its handlers would not fit the tables."
        )
    applied = 0
    while await _retry_first(connection, projection, build, key):
        applied += 1
    return applied


async def _retry_first(
    connection: Connection, projection: Projection, build: int, key: str
) -> bool:
    number = None
    try:
        async with failing_events(connection), connection.transaction():
            # The lock of the build keeps its runner out: the key is empty, or new events wait.
            state = await lock_build(connection, projection.name, build)
            row = await connection.fetchrow(_FIRST, projection.name, build, key)
            if row is None:
                return False
            number = row["number"]
            await use_schema(connection, state.schema)
            event = event_of(row["event"])
            await handle(connection, projection, event, row["event"], row["effect"])
            await connection.execute(_RELEASE, number)
    except EventFailed as failed:
        await connection.execute(_REASON, number, failed.reason)
        raise
    return True


async def discard_first(
    connection: Connection, projection: str, build: int, key: str, reason: str
) -> Event | None:
    """Give up the first parked event of a key, in this build and in every later one.

    Returns the event, or None if nothing is parked. Retry the key afterwards.
    """
    async with connection.transaction():
        await lock_build(connection, projection, build)
        row = await connection.fetchrow(_FIRST, projection, build, key)
        if row is None:
            return None
        event = event_of(row["event"])
        await connection.execute(_DISCARD, projection, event.source, event.id, reason)
        await connection.execute(_RELEASE, row["number"])
        return event
