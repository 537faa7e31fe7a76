"""The tables that belong to no single build, and the builds of a projection.

projections      which build is active: what readers see is switched by this one value
builds           each with a schema for its tables, and its position
parked_events    of a build: what it could not handle, and what waits behind that
discarded_events given up by the operator, in every build
live_effects     noted with the position, carried out after the commit; also their inbox
"""

from typing import Any

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from consumers.projection.definition import Connection, Projection

_LOCK = 7_301_924  # advisory lock: one process creates tables and builds
_TABLES = """
CREATE SCHEMA IF NOT EXISTS projections;
CREATE TABLE IF NOT EXISTS projections.projections (
    name text PRIMARY KEY,
    active int,
    live_since timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TABLE IF NOT EXISTS projections.builds (
    projection text NOT NULL REFERENCES projections.projections,
    build int NOT NULL,
    version int NOT NULL,
    schema text NOT NULL UNIQUE,
    types text[] NOT NULL,
    position text NOT NULL DEFAULT '',
    applied jsonb NOT NULL DEFAULT '{}',
    events bigint NOT NULL DEFAULT 0,
    recorded timestamptz,
    seen timestamptz,
    waiting timestamptz,
    held_until timestamptz NOT NULL DEFAULT '-infinity',
    diverged text,
    compared jsonb,
    created timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (projection, build)
);
CREATE TABLE IF NOT EXISTS projections.parked_events (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    projection text NOT NULL,
    build int NOT NULL,
    key text NOT NULL,
    source text NOT NULL,
    id text NOT NULL,
    event text NOT NULL,
    effect text,
    reason text,
    parked timestamptz NOT NULL DEFAULT clock_timestamp(),
    FOREIGN KEY (projection, build) REFERENCES projections.builds ON DELETE CASCADE
);
CREATE INDEX IF NOT EXISTS parked_events_key
    ON projections.parked_events (projection, build, key, number);
CREATE TABLE IF NOT EXISTS projections.discarded_events (
    projection text NOT NULL REFERENCES projections.projections,
    source text NOT NULL,
    id text NOT NULL,
    reason text NOT NULL,
    discarded timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (projection, source, id)
);
CREATE TABLE IF NOT EXISTS projections.live_effects (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    projection text NOT NULL REFERENCES projections.projections,
    source text NOT NULL,
    id text NOT NULL,
    handler text NOT NULL,
    key text NOT NULL,
    event text,
    attempts int NOT NULL DEFAULT 0,
    due timestamptz NOT NULL DEFAULT clock_timestamp(),
    done timestamptz,
    failed text,
    UNIQUE (projection, source, id, handler)
);
CREATE INDEX IF NOT EXISTS live_effects_pending
    ON projections.live_effects (projection, key, number) WHERE done IS NULL AND failed IS NULL;
"""
# They come in one commit. To create again what is there would lock it against batches.
_THERE = "SELECT to_regclass('projections.live_effects') IS NOT NULL"
_WITHOUT_KEY = """
SELECT relname FROM pg_class WHERE relnamespace = $1::text::regnamespace AND relkind IN ('r', 'p')
    AND NOT EXISTS (SELECT FROM pg_index WHERE indrelid = pg_class.oid AND indisprimary)
"""
_BEGIN = """
INSERT INTO projections.builds (projection, build, version, schema, types)
SELECT $1::text, next, $2::int, format('%s_v%s_b%s', $1::text, $2::int, next), ARRAY(
    SELECT DISTINCT unnest($3::text[] || coalesce(active_types, '{}')) ORDER BY 1)
FROM (
    SELECT coalesce(max(build), 0) + 1 AS next,
        (SELECT types FROM projections.builds JOIN projections.projections
         ON name = projection AND active = build WHERE name = $1::text) AS active_types
    FROM projections.builds WHERE projection = $1::text
) AS numbers
RETURNING *
"""


class Superseded(Exception):
    """The version is older than what is built."""


async def create_tables(connection: Connection) -> None:
    """Create the tables that are missing. Several processes may do so at once."""
    if await connection.fetchval(_THERE):
        return
    async with connection.transaction():
        await connection.execute(f"SELECT pg_advisory_xact_lock({_LOCK})")
        await connection.execute(_TABLES)


async def provide_build(connection: Connection, projection: type[Projection]) -> int:
    """The newest build of this version. If the version is the newest, its first one is made.

    The first build of all is active at once. Raises Superseded for an old version without a build.
    """
    async with connection.transaction():
        await connection.execute(f"SELECT pg_advisory_xact_lock({_LOCK})")
        await connection.execute(
            "INSERT INTO projections.projections (name) VALUES ($1) ON CONFLICT DO NOTHING",
            projection.name,
        )
        found = await builds_of(connection, projection)
        if found:
            return found[-1]
        newest = await connection.fetchval(
            "SELECT max(version) FROM projections.builds WHERE projection = $1", projection.name
        )
        if newest is not None and newest > projection.version:
            raise Superseded(
                f"Version {projection.version} of projection {projection.name} has no build, and "
                f"version {newest} has. Run that one, or begin a build of this one (rebuild)."
            )
        return await _begin(connection, projection)


async def begin_build(connection: Connection, projection: type[Projection]) -> int:
    """Begin one more build of this version: a rebuild. The runner of this version builds it."""
    async with connection.transaction():
        await connection.execute(f"SELECT pg_advisory_xact_lock({_LOCK})")
        return await _begin(connection, projection)


async def _begin(connection: Connection, projection: type[Projection]) -> int:
    row = await connection.fetchrow(_BEGIN, projection.name, projection.version, projection.types())
    assert row is not None  # noqa: S101 - an INSERT of one row
    schema = str(row["schema"])
    await connection.execute(f'CREATE SCHEMA "{schema}"')
    await use_schema(connection, schema)
    await connection.execute(projection.tables)
    if without := await connection.fetchval(_WITHOUT_KEY, f'"{schema}"'):
        raise ValueError(f"Table {without} of projection {projection.name} has no primary key.")
    await connection.execute(
        "UPDATE projections.projections SET active = $2 WHERE name = $1 AND active IS NULL",
        projection.name,
        row["build"],
    )
    return int(row["build"])


async def builds_of(connection: Connection, projection: type[Projection]) -> list[int]:
    """The builds of this version, the oldest first."""
    rows = await connection.fetch(
        "SELECT build FROM projections.builds WHERE projection = $1 AND version = $2 ORDER BY 1",
        projection.name,
        projection.version,
    )
    return [int(row["build"]) for row in rows]


async def use_schema(connection: "Connection | PoolConnectionProxy[Any]", schema: str) -> None:
    """Until the end of the transaction, tables without a schema are those of this one."""
    await connection.execute("SELECT set_config('search_path', $1, true)", f'"{schema}"')


async def connect(url: str) -> Connection:
    """A connection of its own. A statement has 60 seconds."""
    connection: Connection = await asyncpg.connect(
        url, timeout=5, command_timeout=60, server_settings={"application_name": "projection"}
    )
    return connection
