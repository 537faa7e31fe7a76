"""Start again what dies, a little later each time, and say so."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
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


@dataclass
class Charge:
    """One watched thing and its record."""

    name: str
    watched: Watched
    log: Path
    failures: int = 0
    started: float = field(default_factory=time.monotonic)
    again: float | None = None  # when to start it; None while it runs


async def supervise(charges: Sequence[Charge], say: Callable[[str], None]) -> None:
    """Keep all of them running until cancelled."""
    while True:
        for charge in charges:
            await _look_after(charge, say)
        await asyncio.sleep(INTERVAL)


async def _look_after(charge: Charge, say: Callable[[str], None]) -> None:
    now = time.monotonic()
    if charge.again is None:
        if await asyncio.to_thread(lambda: charge.watched.running):
            return
        if now - charge.started > STEADY:
            charge.failures = 0
        delay = min(0.5 * 2**charge.failures, LONGEST)
        charge.failures += 1
        charge.again = now + delay
        say(f"{charge.name} ended; starting it again in {delay:g} s ({charge.log})")
    elif now >= charge.again:
        charge.again, charge.started = None, now
        try:
            await asyncio.to_thread(charge.watched.start)
        except ServerError as error:
            say(f"{charge.name} does not start: {error}")
        else:
            say(f"{charge.name} runs again")
