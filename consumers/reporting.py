"""Tells the bus what was settled, so that its ledger can say `acknowledged`.

Settling never waits for it: what was settled is remembered and goes in batches. While the gateway
is away the memory fills, and then the oldest is forgotten; the ledger says less of those events,
and nothing else follows from it.
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

MOST = 1000  # sequences that the gateway takes at once
FIRST, LONGEST = 0.5, 30.0  # seconds until the next try while the gateway is away
# It will never take this report: the subscription is gone or another's, or what is said is wrong.
_NEVER = frozenset({400, 404, 405, 409, 413, 415, 422})
_log = structlog.get_logger()


@dataclass
class Reporter:
    """Reports when `batch` events were settled, or `every` seconds after the first of them.

    At most `memory` sequences are remembered; `lost` counts those that were not reported.
    """

    report: Report
    batch: int = 500
    every: float = 1.0
    memory: int = 100_000
    lost: int = 0
    reported: int = 0
    _waiting: deque[str] = field(default_factory=deque, init=False)
    _some: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _full: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _ending: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    def __post_init__(self) -> None:
        """Raises ValueError for what the gateway would not take."""
        if not 1 <= self.batch <= min(MOST, self.memory):
            raise ValueError(f"batch must be 1 to {MOST}, and no more than memory")

    def settled(self, sequence: object) -> None:
        """An event was settled. Returns at once; what is no sequence is left out."""
        if not isinstance(sequence, str) or not sequence:
            return
        if len(self._waiting) >= self.memory:
            self._waiting.popleft()
            self.lost += 1
        self._waiting.append(sequence)
        self._some.set()
        if len(self._waiting) >= self.batch:
            self._full.set()

    async def run(self) -> None:
        """Report until `finish`, and then what is left, once."""
        failed = 0
        while not self._ending.is_set():
            await self._gather()
            try:
                await self._send_all()
                failed = 0
            except _AWAY as error:
                failed += 1
                _log.warning("reporter.gateway_away", reason=str(error), waiting=len(self._waiting))
                await self._within(min(FIRST * 2.0 ** (failed - 1), LONGEST), self._ending)
        try:
            await self._send_all()
        except _AWAY as error:
            self.lost += len(self._waiting)
            _log.warning("reporter.not_reported", reason=str(error), count=len(self._waiting))

    def finish(self) -> None:
        """Let `run` report what is left and return."""
        self._ending.set()

    async def _gather(self) -> None:
        """Until there is something, and then until a batch of it or for `every` seconds."""
        await self._within(None, self._some, self._ending)
        if self._some.is_set():
            await self._within(self.every, self._full, self._ending)
        self._some.clear()
        self._full.clear()

    async def _send_all(self) -> None:
        while self._waiting:
            piece = [self._waiting.popleft() for _ in range(min(self.batch, len(self._waiting)))]
            try:
                await self.report(piece)
                self.reported += len(piece)
            except Problem as problem:
                if problem.status not in _NEVER:
                    self._remember(piece)
                    raise
                self.lost += len(piece)
                _log.error("reporter.refused", reason=str(problem), count=len(piece))
            except BaseException:
                self._remember(piece)
                raise

    def _remember(self, piece: Sequence[str]) -> None:
        """Back to the front, as far as there is room."""
        room = self.memory - len(self._waiting)
        kept = piece[max(0, len(piece) - room) :] if room > 0 else []
        self.lost += len(piece) - len(kept)
        self._waiting.extendleft(reversed(kept))
        self._some.set()

    @staticmethod
    async def _within(seconds: float | None, *events: asyncio.Event) -> None:
        """Until one of them happens, at most for so many seconds."""
        waits = [asyncio.ensure_future(event.wait()) for event in events]
        try:
            await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()
                with suppress(asyncio.CancelledError):
                    await each


_AWAY: tuple[type[BaseException], ...] = (Problem, httpx.HTTPError, OSError, TimeoutError)
