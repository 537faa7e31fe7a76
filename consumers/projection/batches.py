"""Applies events to a build: effects, parked events, live effects and position in one commit."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

import structlog

from consumers.projection.definition import Connection, Projection
from consumers.projection.failures import EventFailed, failing_events
from consumers.projection.handling import handle
from consumers.projection.received import Backlog, Received
from consumers.projection.store import use_schema

BATCH = 500  # events in one transaction
_LOCK = """
SELECT schema, applied, held_until > clock_timestamp() AS held, diverged
FROM projections.builds WHERE projection = $1 AND build = $2 FOR NO KEY UPDATE
"""
# A statement of its own: it sees what was committed while the first one waited for the lock.
_ACTIVE = """
SELECT live_since, active, applied, diverged IS NOT NULL AS diverged
FROM projections.projections JOIN projections.builds ON projection = name AND build = active
WHERE name = $1
"""
_PARKED_KEYS = """
SELECT DISTINCT key FROM projections.parked_events
WHERE projection = $1 AND build = $2 AND key = ANY($3::text[])
"""
_DISCARDED = """
SELECT source, id FROM projections.discarded_events
JOIN unnest($2::text[], $3::text[]) AS given(source, id) USING (source, id)
WHERE projection = $1
"""
_PARK = """
INSERT INTO projections.parked_events
    (projection, build, key, source, id, event, effect, reason)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""
_ADVANCE = """
UPDATE projections.builds SET position = coalesce(nullif($3, ''), position), applied = $4,
    events = events + $5, recorded = greatest(recorded, $6), waiting = $7,
    seen = clock_timestamp()
WHERE projection = $1 AND build = $2
"""

_log = structlog.get_logger()


class BuildDropped(Exception):
    """The build was dropped."""


class Held(Exception):
    """The build is held while another one is compared with it or replaces it."""


class Diverged(Exception):
    """Events were applied that the journal lost in a restore. Rebuild, then switch."""


@dataclass(frozen=True, slots=True)
class BuildState:
    """A build as its locked row and that of the active build say."""

    schema: str
    applied: dict[str, int]
    live_since: datetime
    leads: bool
    """Whether its live effects are carried out, and nothing bounds it."""
    limit: dict[str, int]
    """Up to where the active build is, by shard."""

    def may_apply(self, received: Received) -> bool:
        """A build that is not active never overtakes the active one."""
        return self.leads or received.sequence <= self.limit.get(received.shard, -1)

    def applied_before(self, received: Received) -> bool:
        """Whether the event was applied before: the stream repeats some after a restart."""
        return received.sequence <= self.applied.get(received.shard, -1)

    def is_live(self, received: Received) -> bool:
        """Whether it has live effects: it is no replay, and came after the projection began."""
        return self.leads and not received.replayed and received.recorded > self.live_since


async def lock_build(connection: Connection, projection: str, build: int) -> BuildState:
    """Lock a build until the end of the transaction. Raises BuildDropped, Held, Diverged."""
    row = await connection.fetchrow(_LOCK, projection, build)
    if row is None:
        raise BuildDropped(f"Build {build} of projection {projection} was dropped.")
    if row["diverged"] is not None:
        raise Diverged(row["diverged"])
    if row["held"]:
        raise Held
    active = await connection.fetchrow(_ACTIVE, projection)
    assert active is not None  # noqa: S101 - the active build cannot be dropped
    return BuildState(
        row["schema"],
        json.loads(row["applied"]),
        active["live_since"],
        active["active"] == build or active["diverged"],
        json.loads(active["applied"]),
    )


class Batches:
    """Applies the backlog of one build over one connection."""

    def __init__(
        self, projection: Projection, build: int, connection: Connection, backlog: Backlog
    ) -> None:
        self._projection, self._build = projection, build
        self._connection, self._backlog = connection, backlog
        self._chosen: list[Received] = []

    async def apply(self, limit: int = BATCH) -> int:
        """Apply up to `limit` events that wait, in one commit. Returns how many.

        A batch that fails is halved, until the event that fails is found: it is parked. Raises
        what `lock_build` raises, and what the database does in an outage.
        """
        try:
            return await self._transaction(limit)
        except EventFailed as failed:
            if not self._chosen:
                raise  # it failed before it came to an event
            if len(self._chosen) == 1:
                return await self._park_chosen(failed.reason)
        half = len(self._chosen) // 2
        return await self.apply(half) + await self.apply(half)

    async def _park_chosen(self, reason: str) -> int:
        parked = await self._transaction(1, park=reason)
        _log.error(
            "projection.event_parked",
            projection=self._projection.name,
            build=self._build,
            type=self._chosen[0].event.type,
            reason=reason,
        )
        return parked

    async def _transaction(self, limit: int, park: str | None = None) -> int:
        """One commit. `park` is the reason for which the event that was chosen last is parked."""
        if park is None:
            self._chosen = []
        async with failing_events(self._connection), self._connection.transaction():
            state = await lock_build(self._connection, self._projection.name, self._build)
            if park is None:
                allowed = filter(state.may_apply, self._backlog.waiting())
                self._chosen = list(islice(allowed, limit))
            if not self._chosen:
                return 0
            new = [each for each in self._chosen if not state.applied_before(each)]
            await self._write(state, new, park)
            await self._advance(state, set(self._chosen), new)
        self._backlog.done(set(self._chosen))
        return len(self._chosen)

    async def _write(self, state: BuildState, events: Sequence[Received], park: str | None) -> None:
        parked, discarded = await self._exceptions(events)
        await use_schema(self._connection, state.schema)
        for each in events:
            if each.event.identity in discarded:
                continue
            key = each.event.ordering_key
            if park is not None or key in parked:
                await self._park(state, each, park)
                parked.add(key)
            else:
                effect = self._effect(state, each)
                await handle(self._connection, self._projection, each.event, each.text, effect)

    async def _exceptions(
        self, events: Sequence[Received]
    ) -> tuple[set[str], set[tuple[str, str]]]:
        """The keys that are parked, and the events that were discarded."""
        name = self._projection.name
        keys = list({each.event.ordering_key for each in events})
        parked = await self._connection.fetch(_PARKED_KEYS, name, self._build, keys)
        sources, ids = [e.event.source for e in events], [e.event.id for e in events]
        discarded = await self._connection.fetch(_DISCARDED, name, sources, ids)
        return {row["key"] for row in parked}, {(row["source"], row["id"]) for row in discarded}

    async def _park(self, state: BuildState, received: Received, reason: str | None) -> None:
        await self._connection.execute(
            _PARK,
            self._projection.name,
            self._build,
            received.event.ordering_key,
            received.event.source,
            received.event.id,
            received.text,
            self._effect(state, received),
            reason,
        )

    def _effect(self, state: BuildState, received: Received) -> str | None:
        """The name of the live effect that the event has."""
        if not state.is_live(received):
            return None
        return self._projection.live_effects.get(received.event.type)

    async def _advance(
        self, state: BuildState, chosen: set[Received], new: Sequence[Received]
    ) -> None:
        applied = dict(state.applied)
        for each in new:
            applied[each.shard] = max(each.sequence, applied.get(each.shard, -1))
        left = (each.recorded for each in self._backlog.waiting() if each not in chosen)
        await self._connection.execute(
            _ADVANCE,
            self._projection.name,
            self._build,
            self._backlog.position_after(chosen),
            json.dumps(applied),
            len(new),
            max((each.recorded for each in new), default=None),
            next(left, None),
        )
