"""How a projection is: its builds, how far behind they are, and what is parked."""

import json
from dataclasses import dataclass
from datetime import datetime

from consumers.projection.definition import Connection

SILENT = 10.0  # seconds without a sign of life after which a build is not run by anybody

_BUILDS = """
SELECT build, version, active = build AS active, schema, applied, events, recorded, diverged,
    compared, coalesce(extract(epoch FROM clock_timestamp() - waiting), 0)::float8 AS lag,
    extract(epoch FROM clock_timestamp() - seen)::float8 AS silent,
    (SELECT count(*) FROM projections.parked_events AS parked
     WHERE parked.projection = name AND parked.build = builds.build) AS parked,
    (SELECT count(DISTINCT key) FROM projections.parked_events AS parked
     WHERE parked.projection = name AND parked.build = builds.build) AS parked_keys
FROM projections.projections JOIN projections.builds ON projection = name
WHERE name = $1 ORDER BY build
"""
_EFFECTS = """
SELECT count(*) FILTER (WHERE failed IS NULL), count(*) FILTER (WHERE failed IS NOT NULL)
FROM projections.live_effects WHERE projection = $1 AND done IS NULL
"""


@dataclass(frozen=True, slots=True)
class BuildStatus:
    """One build. `lag` is the age in seconds of the oldest event that waits, 0 if none does.

    `behind` is the number of sequences to the active build, over all shards and types. `silent`
    is how long ago it was last run, None if never.
    """

    build: int
    version: int
    active: bool
    schema: str
    events: int
    lag: float
    behind: int
    silent: float | None
    recorded: datetime | None
    parked_keys: int
    parked_events: int
    different: list[str] | None
    """The tables that differ from the active build, None if it was not compared with it."""
    diverged: str | None

    @property
    def running(self) -> bool:
        """Whether somebody runs it."""
        return self.silent is not None and self.silent < SILENT


@dataclass(frozen=True, slots=True)
class Status:
    """A projection: its builds, and its live effects that are due and that failed for good."""

    builds: list[BuildStatus]
    effects_due: int
    effects_failed: int


async def status(connection: Connection, projection: str) -> Status:
    """Raises LookupError where there is no such projection."""
    rows = await connection.fetch(_BUILDS, projection)
    if not rows:
        raise LookupError(f"There is no projection {projection} in this database.")
    active = next(row for row in rows if row["active"])
    goal: dict[str, int] = json.loads(active["applied"])
    due, failed = await connection.fetchrow(_EFFECTS, projection) or (0, 0)
    builds = []
    for row in rows:
        applied: dict[str, int] = json.loads(row["applied"])
        compared = json.loads(row["compared"] or "{}")
        fresh = compared.get("active") == active["build"] and not row["active"]
        builds.append(
            BuildStatus(
                row["build"],
                row["version"],
                row["active"],
                row["schema"],
                row["events"],
                max(0.0, row["lag"]),
                sum(max(0, at - applied.get(shard, 0)) for shard, at in goal.items()),
                row["silent"],
                row["recorded"],
                row["parked_keys"],
                row["parked"],
                compared["different"] if fresh else None,
                row["diverged"],
            )
        )
    return Status(builds, due, failed)
