"""A pool of worker processes that compare schemas within limits of time, memory and waiting."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from time import monotonic
from typing import Any

from gateway.base.errors import Unavailable
from gateway.base.fair_turns import FairTurns
from gateway.contracts.child_process import ChildProcess
from gateway.contracts.compatibility import wire
from gateway.contracts.compatibility.values import (
    Comparison,
    ComparisonTask,
    CompatibilityDirection,
    CompatibilityPolicy,
    Compatible,
    HistoryComparison,
    Incompatible,
    Rule,
    Undecided,
    comparisons,
)

START_LIMIT = 10.0  # seconds until a new worker must be ready
_WORKER_MODULE = "gateway.contracts.compatibility.worker"
_OUT_OF_TIME = -signal.SIGPROF
_WALL = 10  # times the CPU that a comparison may take, after which it is stuck and not busy
_EXIT_REASONS = {
    _OUT_OF_TIME: "",  # what was found until then says so
    -6: "The comparison reached its memory limit.",
    -11: "The schemas nest or refer too deep to be compared.",
}
_UNREAD = "The schemas could not be read within the time limit. Simplify them."
_HISTORY = 4  # limits of one comparison that a whole history may take
_SEARCH_SHARE = 0.4  # of the limit, to try documents after the algebra took too long


class CompatibilityWorker(ChildProcess):
    """One worker process. It runs one comparison at a time."""

    @classmethod
    async def start(cls, seconds: float, memory: int) -> "CompatibilityWorker":
        """A worker that is ready. Raises Unavailable if it does not start."""
        return await cls.start_module(_WORKER_MODULE, seconds, memory, limit=START_LIMIT)

    async def compare(self, task: ComparisonTask) -> AsyncIterator[tuple[Comparison, bool]]:
        """Results, the last one final. Ends early if the worker dies."""
        with contextlib.suppress(EOFError, ConnectionError):
            await self.write(wire.encode_task(task))
            while True:
                yield wire.decode_comparison(await self.read())

    async def stop(self) -> str:
        """Kill the process; returns why it ended, if it was dead before."""
        return _EXIT_REASONS.get(await self.kill(), "The comparison was stopped.")


class CompatibilityChecker:
    """Compares schemas in worker processes that can be killed. They start when first needed.

    The owners of the contracts take turns, one comparison at a time for each. There is one worker
    more than an owner can use, so one with expensive schemas makes no other wait.
    """

    def __init__(
        self, *, workers: int = 2, limit: float = 5.0, queue: int = 32, memory: int = 768 << 20
    ) -> None:
        """`limit` seconds of CPU and `memory` bytes for each comparison.

        `queue` comparisons of one owner may wait.
        """
        self._limit, self._memory = limit, memory
        self._turns = FairTurns(slots=workers, share=1, queue=queue)
        self._idle: list[CompatibilityWorker] = []
        self._busy: set[CompatibilityWorker] = set()
        self._closed = False

    async def compare(
        self,
        old: Any,
        new: Any,
        direction: CompatibilityDirection,
        policy: CompatibilityPolicy = CompatibilityPolicy.STRICT,
        *,
        owner: str = "",
        examples: Sequence[Any] = (),
    ) -> Comparison:
        """Compare two schemas. `examples` are valid documents that help to find a proof.

        Raises Overloaded if too many comparisons of the owner wait, and Unavailable if no worker
        starts. A schema that cannot be read is Undecided.
        """
        task = ComparisonTask(
            wire.text(old), wire.text(new), direction, policy, tuple(map(wire.text, examples))
        )
        if self._closed:
            raise Unavailable("This process is stopping. Repeat the request.")
        async with self._turns.turn(owner):
            return await self._compare(task)

    async def compare_history(
        self,
        new: Any,
        older: Mapping[int, Any],
        rule: Rule,
        *,
        owner: str = "",
        examples: Sequence[Any] = (),
    ) -> HistoryComparison:
        """Compare a new schema with the earlier versions that its rule names; the worst result.

        Stops at the first proven incompatibility. All comparisons together take four times the
        limit of one at most; those that remain then are undecided.
        """
        worst = HistoryComparison(Compatible())
        deadline = monotonic() + _HISTORY * self._limit
        for version, direction in comparisons(rule, tuple(sorted(older))):
            if monotonic() > deadline:
                late = Undecided(
                    direction, "Comparing with all earlier versions exceeds the time limit."
                )
                undecided = isinstance(worst.result, Undecided)
                return worst if undecided else HistoryComparison(late, version)
            result = await self.compare(
                older[version], new, direction, rule.policy, owner=owner, examples=examples
            )
            if isinstance(result, Incompatible):
                return HistoryComparison(result, version)
            if isinstance(result, Undecided) and isinstance(worst.result, Compatible):
                worst = HistoryComparison(result, version)
        return worst

    async def close(self) -> None:
        """Stop the workers. Comparisons under way end as Undecided."""
        self._closed = True
        workers = [*self._idle, *self._busy]
        self._idle.clear()
        await asyncio.gather(*(worker.stop() for worker in workers))

    async def _compare(self, task: ComparisonTask) -> Comparison:
        algebra = replace(task, seconds=self._limit * (1 - _SEARCH_SHARE))
        result, complete = await self._run(algebra)
        interrupted = isinstance(result, Undecided) and result.reason != _UNREAD
        if complete or self._closed or not interrupted:
            return result
        search = replace(task, by_algebra=False, seconds=self._limit * _SEARCH_SHARE)
        found, complete = await self._run(search)
        return found if isinstance(found, Incompatible) else result

    async def _run(self, task: ComparisonTask) -> tuple[Comparison, bool]:
        """The best result within its CPU time, and whether the worker completed the task."""
        worker = (
            self._idle.pop()
            if self._idle
            else await CompatibilityWorker.start(self._limit, self._memory)
        )
        self._busy.add(worker)
        if self._closed:  # while the worker was being started
            await worker.stop()
        result: Comparison = Undecided(task.direction, _UNREAD)
        try:
            async with asyncio.timeout(_WALL * task.seconds):
                async for result, final in worker.compare(task):
                    if final:
                        self._idle += [] if self._closed else [worker]
                        return result, True
            return _with_reason(result, await worker.stop()), False
        except TimeoutError:
            return result, False
        finally:
            self._busy.discard(worker)
            if worker not in self._idle:
                await worker.stop()


def _with_reason(result: Comparison, reason: str) -> Comparison:
    return replace(result, reason=reason) if reason and isinstance(result, Undecided) else result
