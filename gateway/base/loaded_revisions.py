"""Which revision each api process has loaded, so that a change is answered once all have it.

Every process serves from snapshots, which it renews a few times a second. A load balancer sends the
next call of a client to any of them. So whoever changed something waits until the others have
loaded the change: a right that was given is never refused after its 201, and one that was
withdrawn is in force nowhere.
"""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import asyncpg

from gateway.base.backoff import Backoff
from gateway.base.database import Topic
from gateway.base.snapshot import Snapshot
from gateway.base.telemetry import log
from gateway.base.transactions import Transactions

SEEN = 1.0  # seconds after which a process that has loaded nothing new reports again
GONE = 6.0  # seconds after which a process that reports nothing is not waited for
LONGEST = 5.0  # seconds that a change waits for the others: twenty of their looks
_LOOK = 0.02, 0.25  # seconds between the first and the last looks at what they have loaded

_REPORT = """
INSERT INTO control_snapshots AS s (process, topic, revision, seen)
SELECT $1, topic, revision, clock_timestamp()
FROM unnest($2::text[], $3::bigint[]) AS given (topic, revision) ORDER BY topic
ON CONFLICT (process, topic) DO UPDATE SET revision = excluded.revision, seen = excluded.seen
"""
_BEHIND = """
SELECT process FROM control_snapshots
WHERE topic = $1 AND revision < $2 AND process <> $3
  AND seen > clock_timestamp() - make_interval(secs => $4)
"""
_LEAVE = """
DELETE FROM control_snapshots
WHERE process = $1 OR seen < clock_timestamp() - interval '1 hour'
"""


class LoadedRevisions(Transactions):
    """Tells the other processes what this one has loaded. Methods raise DatabaseUnavailable."""

    def __init__(
        self, pool: asyncpg.Pool, snapshots: Sequence[Snapshot[Any]], *, process: str
    ) -> None:
        super().__init__(pool, timeout=LONGEST)
        self._snapshots = snapshots
        self._process = process
        self._reported: tuple[int, ...] = ()
        self._reported_at = 0.0

    async def report(self) -> None:
        """Say what is loaded, if that is news or was said long ago.

        A process says it before its first load: then nobody overlooks it while it starts.
        """
        loaded = tuple(each.revision for each in self._snapshots)
        now = time.monotonic()
        if loaded == self._reported and now < self._reported_at + SEEN:
            return
        topics = [each.topic.value for each in self._snapshots]
        async with self.transaction(flush=False) as connection:
            await connection.execute(_REPORT, self._process, topics, list(loaded))
        self._reported, self._reported_at = loaded, now

    async def wait_for_others(self, topic: Topic, revision: int) -> None:
        """Until every process has loaded this revision of a topic, at most `LONGEST` seconds."""
        until, pause = time.monotonic() + LONGEST, Backoff(*_LOOK)
        while behind := await self.fetch(_BEHIND, topic.value, revision, self._process, GONE):
            if time.monotonic() > until:
                log().warning(
                    "control.loads_late", topic=topic.value, processes=[row[0] for row in behind]
                )
                return
            await asyncio.sleep(pause.next())

    async def leave(self) -> None:
        """The process ends: nobody waits for it."""
        await self.fetch(_LEAVE, self._process)
