"""Start again what dies, a little later each time, and say so."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from deploy.local.processes import ServerError

INTERVAL = 0.25  # seconds between two looks
LONGEST = 30.0  # seconds to wait at most before another start
STEADY = 60.0  # seconds alive after which the count of failures begins anew


class Watched(Protocol):
    """What can be watched: a server or a process of the gateway."""

    @property
    def running(self) -> bool: ...

    def start(self) -> None: ...


@dataclass(frozen=True)
class Supervised:
    """One watched thing."""

    name: str
    watched: Watched
    log: Path


async def supervise(everything: Sequence[Supervised], say: Callable[[str], None]) -> None:
    """Keep all of them running until cancelled."""
    async with asyncio.TaskGroup() as tasks:
        for supervised in everything:
            tasks.create_task(_look_after(supervised, say))


async def _look_after(supervised: Supervised, say: Callable[[str], None]) -> None:
    failures, started = 0, time.monotonic()
    while True:
        await asyncio.sleep(INTERVAL)
        if await asyncio.to_thread(lambda: supervised.watched.running):
            continue
        if time.monotonic() - started > STEADY:
            failures = 0
        delay = min(0.5 * 2**failures, LONGEST)
        failures += 1
        say(f"{supervised.name} ended; starting it again in {delay:g} s ({supervised.log})")
        await asyncio.sleep(delay)
        started = time.monotonic()
        try:
            await asyncio.to_thread(supervised.watched.start)
        except ServerError as error:
            say(f"{supervised.name} does not start: {error}")
        else:
            say(f"{supervised.name} runs again")
