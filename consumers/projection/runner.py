"""Runs a projection: every build of its version, and its live effects."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

import structlog

from consumers.outcomes import RetryPolicy
from consumers.projection.batches import BATCH, BuildDropped, Diverged
from consumers.projection.build_runner import BuildRunner
from consumers.projection.definition import Projection
from consumers.projection.effects import RETRY, LiveEffects
from consumers.projection.failures import OUTAGES
from consumers.projection.feeds import Feed
from consumers.projection.store import builds_of, connect, create_tables, provide_build

LOOK = 1.0  # seconds between two looks for builds that were begun or dropped

FeedOf = Callable[[int, list[str]], Feed]
"""The feed of a build, by its number and the event types that it needs."""
_log = structlog.get_logger()


class Runner:
    """Runs one version of a projection in this process. Any number of processes may run it.

    A version that is new gets a build of its own. The first build of a projection is active at
    once; each later one is built beside, until somebody switches to it.
    """

    def __init__(
        self,
        projection: Projection,
        url: str,
        feed_of: FeedOf,
        *,
        batch: int = BATCH,
        retry: RetryPolicy = RETRY,
    ) -> None:
        """`url` is the service's database; a commit has up to `batch` events.

        `retry` is for live effects that fail.
        """
        self._projection, self._url, self._feed_of = projection, url, feed_of
        self._batch, self._retry = batch, retry
        self._builds: dict[int, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Run until cancelled. Raises a group: of Problem where the gateway refuses the feed, of
        Superseded where the version is older than what is built.

        A build that diverged or was dropped is not run any more; outages are waited out.
        """
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(LiveEffects(self._projection, self._url, self._retry).run())
            while True:
                with suppress(*OUTAGES):
                    await self._start_builds(tasks)
                await asyncio.sleep(LOOK)

    async def _start_builds(self, tasks: asyncio.TaskGroup) -> None:
        connection = await connect(self._url)
        try:
            await create_tables(connection)
            await provide_build(connection, type(self._projection))
            while True:
                for build in await builds_of(connection, type(self._projection)):
                    if build not in self._builds:
                        types = await connection.fetchval(
                            "SELECT types FROM projections.builds "
                            "WHERE projection = $1 AND build = $2",
                            self._projection.name,
                            build,
                        )
                        feed = self._feed_of(build, list(types))
                        self._builds[build] = tasks.create_task(self._run_build(build, feed))
                await asyncio.sleep(LOOK)
        finally:
            with suppress(*OUTAGES):
                await connection.close(timeout=5)

    async def _run_build(self, build: int, feed: Feed) -> None:
        runner = BuildRunner(self._projection, build, self._url, feed, batch=self._batch)
        try:
            await runner.run()
        except Diverged as error:
            _log.error(
                "projection.diverged",
                projection=self._projection.name,
                build=build,
                reason=str(error),
            )
        except BuildDropped:
            _log.info("projection.dropped", projection=self._projection.name, build=build)
            await feed.remove()
