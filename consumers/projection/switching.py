"""Blue/green: comparing a build with the active one, switching to it, dropping what is left.

    build beside -> compare -> switch -> drop
                      |          |
             held a moment    one row

Each step is one commit that may be repeated. A build is held by a time that passes by itself, so
whoever is killed holds nothing for long.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass

from asyncpg import Record

from consumers.projection.definition import Connection
from consumers.projection.digest import TableDigest, columns_of, digest_tables

HOLD = 1.0  # seconds; renewed while it is needed
CLOSE = 1000  # sequences of all shards from which on the active build is held
PATIENCE = 60.0  # seconds that a build has to come level with the active one
POLL = 0.05  # seconds

_PAIR = """
SELECT active, mine.schema, mine.applied = theirs.applied AS level, theirs.schema AS active_schema,
    mine.applied, theirs.applied AS goal, theirs.diverged IS NOT NULL AS diverged,
    mine.diverged AS unusable, mine.compared
FROM projections.projections
JOIN projections.builds AS theirs ON theirs.projection = name AND theirs.build = active
JOIN projections.builds AS mine ON mine.projection = name AND mine.build = $2
WHERE name = $1
"""
_HOLD = """
UPDATE projections.builds SET held_until = clock_timestamp() + $3 * interval '1 second'
WHERE projection = $1 AND build = $2
"""
_LOCK_BOTH = """
SELECT build FROM projections.builds WHERE projection = $1 AND build = ANY($2::int[])
ORDER BY build FOR NO KEY UPDATE
"""
# An event that the active build has parked did not have its live effect. Where the other one has
# parked it too, it has it with its retry there; where it has applied it, now.
_PARKED_IN_BOTH = """
UPDATE projections.parked_events AS mine SET effect = theirs.effect
FROM projections.parked_events AS theirs
WHERE mine.projection = $1 AND mine.build = $2 AND theirs.projection = $1 AND theirs.build = $3
    AND (mine.source, mine.id) = (theirs.source, theirs.id)
"""
_PARKED_NO_MORE = """
INSERT INTO projections.live_effects (projection, source, id, handler, key, event)
SELECT projection, source, id, effect, key, event FROM projections.parked_events AS theirs
WHERE projection = $1 AND build = $3 AND effect IS NOT NULL AND NOT EXISTS (
    SELECT FROM projections.parked_events AS mine
    WHERE mine.projection = $1 AND mine.build = $2
        AND (mine.source, mine.id) = (theirs.source, theirs.id))
ORDER BY number ON CONFLICT DO NOTHING
"""
_LOCK_ACTIVE = "SELECT active FROM projections.projections WHERE name = $1 FOR NO KEY UPDATE"
_SWITCH = "UPDATE projections.projections SET active = $2 WHERE name = $1"
_NOTE = "UPDATE projections.builds SET compared = $3 WHERE projection = $1 AND build = $2"
_DROP = "DELETE FROM projections.builds WHERE projection = $1 AND build = $2 RETURNING schema"


class NotPossible(Exception):
    """A step that cannot be taken now. The message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two builds at the same events. `tables` has the digests of the active one and of the other.

    What only one of them has, tables and columns, is not compared: `left_out` names it.
    """

    active: int
    build: int
    tables: dict[str, tuple[TableDigest, TableDigest]]
    left_out: list[str]

    @property
    def different(self) -> list[str]:
        """The tables that differ."""
        return [name for name, (theirs, mine) in self.tables.items() if theirs != mine]


async def compare(
    connection: Connection, projection: str, build: int, *, patience: float = PATIENCE
) -> Comparison:
    """Compare a build with the active one, at the same events; the result is kept with it.

    The active one is held until the build is level, and goes on while digests are computed. Raises
    NotPossible.
    """
    async for pair in _level(connection, projection, build, patience):
        if pair["diverged"]:
            raise NotPossible("The active build has diverged: nothing equals it. Switch to yours.")
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            # This statement makes the snapshot: the digests see both builds as it does.
            seen = await connection.fetchrow(_PAIR, projection, build)
            if seen is not None and seen["level"] and seen["active"] == pair["active"]:
                comparison = await _compare(connection, seen, build)
                break
    await connection.execute(_NOTE, projection, build, _note(comparison))
    return comparison


async def switch(
    connection: Connection,
    projection: str,
    build: int,
    *,
    despite: str | None = None,
    patience: float = PATIENCE,
) -> None:
    """Make a build the active one, by one row, at a moment at which both are level.

    Readers that have begun go on with the build that they read. Raises NotPossible, also unless
    the build was compared with the active one and equals it; `despite` is the reason why a
    difference is wanted. A build that is active already stays so.
    """
    async for pair in _level(connection, projection, build, patience):
        if pair["active"] == build:
            return
        if not pair["diverged"]:
            _require_equal(pair, build, despite)
        async with connection.transaction():
            await connection.execute(_LOCK_BOTH, projection, [pair["active"], build])
            now = await connection.fetchrow(_PAIR, projection, build)
            if now is not None and now["active"] == pair["active"] and _may_switch(now):
                await connection.execute(_PARKED_IN_BOTH, projection, build, pair["active"])
                await connection.execute(_PARKED_NO_MORE, projection, build, pair["active"])
                await connection.execute(_SWITCH, projection, build)
                return


async def drop(connection: Connection, projection: str, build: int) -> bool:
    """Drop a build and its tables, once nobody reads them. False where there is none.

    Raises NotPossible for the active one.
    """
    async with connection.transaction():
        await connection.execute(_LOCK_BOTH, projection, [build])
        active = await connection.fetchval(_LOCK_ACTIVE, projection)
        if active == build:
            raise NotPossible(f"Build {build} is active. Switch to another one first.")
        schema = await connection.fetchval(_DROP, projection, build)
        if schema is None:
            return False
        await connection.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended('readers ' || $1, 0))", schema
        )
        await connection.execute(f'DROP SCHEMA "{schema}" CASCADE')
        return True


async def _level(
    connection: Connection, projection: str, build: int, patience: float
) -> AsyncIterator[Record]:
    """Yield both builds again and again, whenever they are level. Raises NotPossible.

    The active one is held only once the build is close, so that the rest is short.
    """
    deadline = asyncio.get_running_loop().time() + patience
    while True:
        pair = await connection.fetchrow(_PAIR, projection, build)
        if pair is None:
            raise NotPossible(f"Projection {projection} has no build {build}. See status.")
        if pair["unusable"]:
            raise NotPossible(f"Build {build} has diverged. Drop it, and rebuild.")
        if pair["active"] == build or pair["diverged"]:
            yield pair
        elif _behind(pair) <= CLOSE:
            await connection.execute(_HOLD, projection, pair["active"], HOLD)
            pair = await connection.fetchrow(_PAIR, projection, build)
            if pair is not None and pair["level"]:
                yield pair
        if asyncio.get_running_loop().time() > deadline:
            raise NotPossible(
                f"Build {build} is not level with the active one after {patience:g} s. See how "
                "far it is by status, and try again."
            )
        await asyncio.sleep(POLL)


def _behind(pair: Record) -> int:
    """How many sequences the build is behind the active one."""
    applied: dict[str, int] = json.loads(pair["applied"])
    goal: dict[str, int] = json.loads(pair["goal"])
    return sum(max(0, sequence - applied.get(shard, 0)) for shard, sequence in goal.items())


def _may_switch(pair: Record) -> bool:
    return bool(pair["diverged"] or pair["level"])


def _require_equal(pair: Record, build: int, despite: str | None) -> None:
    if despite:
        return
    compared = json.loads(pair["compared"] or "{}")
    if compared.get("active") != pair["active"]:
        raise NotPossible(f"Build {build} was not compared with build {pair['active']}. Compare.")
    if compared["different"]:
        raise NotPossible(
            f"Build {build} differs in {', '.join(compared['different'])}. Where that is what you "
            "want, switch with a reason (despite)."
        )


async def _compare(connection: Connection, pair: Record, build: int) -> Comparison:
    theirs = await columns_of(connection, pair["active_schema"])
    mine = await columns_of(connection, pair["schema"])
    common = {
        table: tuple(each for each in columns if each in mine[table])
        for table, columns in theirs.items()
        if table in mine
    }
    left_out = sorted(
        {f"{table}.{each}" for both in (theirs, mine) for table in both for each in both[table]}
        - {f"{table}.{each}" for table in common for each in common[table]}
    )
    ours = await digest_tables(connection, pair["active_schema"], common)
    others = await digest_tables(connection, pair["schema"], common)
    tables = {table: (ours[table], others[table]) for table in common}
    return Comparison(pair["active"], build, tables, left_out)


def _note(comparison: Comparison) -> str:
    return json.dumps({"active": comparison.active, "different": comparison.different})
