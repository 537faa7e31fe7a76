"""Reports settled events to the gateway, so that its delivery ledger shows `acknowledged`.

Settling never waits for a report: settled events are remembered and reported in batches. If the
gateway is away for long, the oldest reports are dropped. The ledger then knows less; nothing else
is lost.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import httpx
import structlog

from adapters.client import Problem

Report = Callable[[Sequence[str]], Awaitable[object]]
"""Sends sequences to the gateway: `lambda them: bus.acknowledged("billing", them)`."""

MOST = 1000  # sequences in one call
FIRST_DELAY, LONGEST_DELAY = 0.5, 30.0  # seconds between two calls while the gateway is away
# The gateway never takes this report: no such subscription, no right to it, or a bad report.
_REFUSED = frozenset({400, 404, 405, 409, 413, 415, 422})
_log = structlog.get_logger()


@dataclass
class Reporter:
    """Reports after `batch` settled events, or `every` seconds after the first of them.

    At most `memory` sequences are remembered. `lost` counts those that were not reported.
    """

    report: Report
    batch: int = 500
    every: float = 1.0
    memory: int = 100_000
    lost: int = 0
    reported: int = 0
    _remembered: deque[str] = field(default_factory=deque, init=False)
    _some: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _full: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _ending: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    def __post_init__(self) -> None:
        """Raises ValueError for a batch that the gateway refuses."""
        if not 1 <= self.batch <= min(MOST, self.memory):
            raise ValueError(f"batch must be between 1 and {MOST}, and at most memory.")

    def settled(self, sequence: object) -> None:
        """Remember a settled event. Returns at once. An event without a sequence is ignored."""
        if not isinstance(sequence, str) or not sequence:
            return
        if len(self._remembered) >= self.memory:
            self._remembered.popleft()
            self.lost += 1
        self._remembered.append(sequence)
        self._some.set()
        if len(self._remembered) >= self.batch:
            self._full.set()

    async def run(self) -> None:
        """Report until `finish`, then report the rest once."""
        failed = 0
        while not self._ending.is_set():
            await self._wait_for_batch()
            try:
                await self._send_all()
                failed = 0
            except _AWAY as error:
                failed += 1
                _log.warning(
                    "reports.postponed", reason=str(error), remembered=len(self._remembered)
                )
                await self._wait(
                    min(FIRST_DELAY * 2.0 ** (failed - 1), LONGEST_DELAY), self._ending
                )
        try:
            await self._send_all()
        except _AWAY as error:
            self.lost += len(self._remembered)
            _log.warning("reports.lost", reason=str(error), count=len(self._remembered))

    def finish(self) -> None:
        """Let `run` report the rest and return."""
        self._ending.set()

    async def _wait_for_batch(self) -> None:
        """Wait for a settled event, then for a batch of them, at most `every` seconds."""
        await self._wait(None, self._some, self._ending)
        if self._some.is_set():
            await self._wait(self.every, self._full, self._ending)
        self._some.clear()
        self._full.clear()

    async def _send_all(self) -> None:
        while self._remembered:
            batch = [
                self._remembered.popleft() for _ in range(min(self.batch, len(self._remembered)))
            ]
            try:
                await self.report(batch)
                self.reported += len(batch)
            except Problem as problem:
                if problem.status not in _REFUSED:
                    self._put_back(batch)
                    raise
                self.lost += len(batch)
                _log.error("reports.refused", reason=str(problem), count=len(batch))
            except BaseException:
                self._put_back(batch)
                raise

    def _put_back(self, batch: Sequence[str]) -> None:
        """Remember a batch again, as far as there is room; the newest first."""
        room = self.memory - len(self._remembered)
        kept = batch[max(0, len(batch) - room) :] if room > 0 else []
        self.lost += len(batch) - len(kept)
        self._remembered.extendleft(reversed(kept))
        self._some.set()

    @staticmethod
    async def _wait(seconds: float | None, *events: asyncio.Event) -> None:
        """Wait until one of the events is set, at most for so many seconds."""
        waits = [asyncio.ensure_future(event.wait()) for event in events]
        try:
            await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()
                with suppress(asyncio.CancelledError):
                    await each


_AWAY: tuple[type[BaseException], ...] = (Problem, httpx.HTTPError, OSError, TimeoutError)
