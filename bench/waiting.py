"""Waiting for something outside, with an end."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from bench.failure import BenchFailure


async def until(condition: Callable[[], Awaitable[bool]], *, seconds: float, failure: str) -> None:
    """Poll until the condition holds. Raises BenchFailure with `failure` after `seconds`."""
    deadline = time.monotonic() + seconds
    while not await condition():
        if time.monotonic() > deadline:
            raise BenchFailure(f"{failure} within {seconds:.0f} s")
        await asyncio.sleep(0.05)
