"""A journal that was restored from a backup, and a build that is beyond it."""

import json

from consumers.projection.batches import Diverged, lock_build
from consumers.projection.definition import Connection
from consumers.projection.received import Restored

_DIVERGE = """
UPDATE projections.builds SET diverged = $3 WHERE projection = $1 AND build = $2
"""
# What was recorded until now had its live effects from this build.
_EFFECTS_SO_FAR = """
UPDATE projections.projections SET live_since = greatest(live_since, recorded)
FROM projections.builds
WHERE name = $1 AND projection = name AND build = $2 AND active = build
"""


async def note_restore(
    connection: Connection, projection: str, build: int, restored: Restored
) -> None:
    """Raises Diverged, durably, if the build has applied an event that the journal lost.

    Such a build keeps its tables for readers and applies nothing more: the journal may get the
    lost events again, at other positions, and in another order.
    """
    async with connection.transaction():
        state = await lock_build(connection, projection, build)
        if not restored.concerns(state.applied):
            return
        lost = json.dumps(restored.lost) if restored.lost else "unknown"
        reason = f"The journal was restored and lacks events that were applied (lost: {lost})."
        await connection.execute(_EFFECTS_SO_FAR, projection, build)
        await connection.execute(_DIVERGE, projection, build, reason)
    raise Diverged(reason)
