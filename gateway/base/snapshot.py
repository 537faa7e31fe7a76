"""The control plane in memory: one immutable value per topic, replaced as a whole."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Generic, TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from gateway.base.database import Database, Topic
from gateway.base.errors import Unavailable

POLL = 0.25  # seconds; every process sees a change well within one second
T = TypeVar("T")


class Snapshot(Generic[T]):
    """The latest loaded value of a topic. `value` never waits."""

    def __init__(self, topic: Topic, load: Callable[[AsyncSession], Awaitable[T]]) -> None:
        self.topic = topic
        self._load = load
        self._value: T | None = None
        self._loading = asyncio.Lock()
        self.revision = -1

    @property
    def value(self) -> T:
        """The value as of the last load. Raises Unavailable before the first `refresh`."""
        if self._value is None:
            raise Unavailable("The process is still starting. Try again in a second.")
        return self._value

    async def refresh(self, database: Database, revision: int) -> bool:
        """Load again if `revision` has changed. True if it did.

        Loads take turns, so that an older value never replaces a newer one.
        """
        async with self._loading:
            if revision == self.revision:
                return False
            async with database.session() as session:
                self._value = await self._load(session)
            self.revision = revision
            return True


async def refresh(database: Database, *snapshots: Snapshot[Any]) -> None:
    """Update every snapshot. Raises Unavailable; then the last values stay in force."""
    revisions: Mapping[Topic, int] = await database.revisions()
    for snapshot in snapshots:
        await snapshot.refresh(database, revisions[snapshot.topic])
