"""Projections at work in the process of the test."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import asyncpg

from consumers.events import Event
from consumers.outcomes import RetryPolicy
from consumers.projection import Projection, Runner, reading
from consumers.projection.definition import Connection
from tests.integration.projections.memory_feed import MemoryFeed, MemoryJournal

QUICK = RetryPolicy(attempts=3, first_delay=0.02, longest_delay=0.05)


@asynccontextmanager
async def working(
    projection: Projection, url: str, journal: MemoryJournal, **more: Any
) -> AsyncIterator[Runner]:
    """A runner; an error of it ends the test."""
    feed = more.pop("feed", None) or MemoryFeed(journal)
    runner = Runner(projection, url, lambda build, types: feed, **{"retry": QUICK, **more})
    task = asyncio.create_task(runner.run())
    try:
        yield runner
        if task.done():
            task.result()
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def effects_to(file: Path, event: Event, key: str) -> None:
    """A live effect that every process sees."""
    with file.open("a") as opened:
        opened.write(f"{event.id} {key}\n")


async def until(condition: Callable[[], Awaitable[Any]], seconds: float = 30) -> Any:
    """The first true value."""
    async with asyncio.timeout(seconds):
        while not (found := await condition()):  # noqa: ASYNC110 - nothing tells it
            await asyncio.sleep(0.02)
    return found


async def applied(connection: Connection, build: int = 1) -> dict[str, int]:
    """Up to which sequence of each shard a build has applied."""
    with suppress(asyncpg.UndefinedTableError):
        found = await connection.fetchval(
            "SELECT applied FROM projections.builds WHERE build = $1", build
        )
        positions: dict[str, int] = json.loads(found or "{}")
        return positions
    return {}


async def up_to(connection: Connection, journal: MemoryJournal, build: int = 1) -> None:
    """Until a build has applied the whole journal."""
    heads = {str(s): each[-1][0] for s, each in enumerate(journal.entries) if each}

    async def there() -> bool:
        return await applied(connection, build) == heads

    await until(there)


async def counts(url: str) -> dict[str, tuple[int, int]]:
    """What a reader sees: events and total of each subject."""
    async with (
        asyncpg.create_pool(url, min_size=1, max_size=1) as pool,
        reading(pool, "counting") as connection,
    ):
        rows = await connection.fetch("SELECT subject, events, total FROM counts")
    return {row["subject"]: (row["events"], row["total"]) for row in rows}


async def has_builds(connection: Connection, count: int) -> bool:
    """Whether there are so many builds."""
    try:
        return bool(
            await connection.fetchval("SELECT count(*) = $1 FROM projections.builds", count)
        )
    except asyncpg.UndefinedTableError:
        return False
