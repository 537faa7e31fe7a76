"""Who asks the workers: how many at a time, for how long, and what a killed one still told."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from time import monotonic
from typing import Any

from gateway.base.errors import Overloaded, Unavailable
from gateway.contracts.compatibility import wire
from gateway.contracts.compatibility.process import Worker
from gateway.contracts.compatibility.question import (
    Compatible,
    Direction,
    Incompatible,
    Judgement,
    Policy,
    Question,
    Rule,
    Undecided,
    Verdict,
    pairs,
)

_UNREAD = "reading the schemas took longer than the time limit: simplify them"
_HISTORY = 4  # limits of one question that a whole history may take
_BY_DOCUMENTS = 0.4  # share of the limit for trying documents, after the algebra took too long


class Compatibility:
    """Judges pairs of schemas in killable worker processes, started when first needed."""

    def __init__(
        self, *, workers: int = 1, limit: float = 5.0, queue: int = 32, memory: int = 768 << 20
    ) -> None:
        """`limit` seconds and `memory` bytes for each question; `queue` questions may wait."""
        self._limit, self._memory = limit, memory
        self._places = asyncio.Semaphore(workers)
        self._most = workers + queue
        self._asked = 0
        self._idle: list[Worker] = []
        self._busy: set[Worker] = set()
        self._closed = False

    async def judge(
        self,
        old: Any,
        new: Any,
        direction: Direction,
        policy: Policy = Policy.STRICT,
        *,
        examples: Sequence[Any] = (),
    ) -> Verdict:
        """One question about two schemas. `examples` are valid documents that help to find proof.

        Raises Overloaded if too many questions wait, and Unavailable if no worker starts. Never
        raises for a bad schema: what cannot be read is Undecided.
        """
        question = Question(
            wire.text(old), wire.text(new), direction, policy, tuple(map(wire.text, examples))
        )
        if self._closed:
            raise Unavailable("the gateway is stopping: repeat the call on another one")
        if self._asked >= self._most:
            raise Overloaded("too many comparisons of schemas wait: repeat the call a little later")
        self._asked += 1
        try:
            async with self._places:
                return await self._decided(question)
        finally:
            self._asked -= 1

    async def judge_history(
        self, new: Any, older: Mapping[int, Any], rule: Rule, *, examples: Sequence[Any] = ()
    ) -> Judgement:
        """A new schema against the earlier versions that its rule names: the worst verdict.

        Stops at the first proven loss; an undecided pair comes second. All of it takes four times
        the limit of one question at most; what was not asked until then is undecided.
        """
        worst, until = Judgement(Compatible()), monotonic() + _HISTORY * self._limit
        for version, direction in pairs(rule, tuple(sorted(older))):
            if monotonic() > until:
                late = Undecided(direction, "comparing with all earlier versions takes too long")
                return worst if isinstance(worst.verdict, Undecided) else Judgement(late, version)
            verdict = await self.judge(
                older[version], new, direction, rule.policy, examples=examples
            )
            if isinstance(verdict, Incompatible):
                return Judgement(verdict, version)
            if isinstance(verdict, Undecided) and isinstance(worst.verdict, Compatible):
                worst = Judgement(verdict, version)
        return worst

    async def close(self) -> None:
        """End the workers. Questions under way are answered Undecided."""
        self._closed = True
        workers = [*self._idle, *self._busy]
        self._idle.clear()
        await asyncio.gather(*(worker.end() for worker in workers))

    async def _decided(self, question: Question) -> Verdict:
        verdict, ended = await self._asked_within(question, self._limit * (1 - _BY_DOCUMENTS))
        open_ = isinstance(verdict, Undecided) and verdict.reason != _UNREAD
        if ended or self._closed or not open_:
            return verdict
        again = replace(question, by_algebra=False)
        found, ended = await self._asked_within(again, self._limit * _BY_DOCUMENTS)
        return found if isinstance(found, Incompatible) else verdict

    async def _asked_within(self, question: Question, seconds: float) -> tuple[Verdict, bool]:
        """The best verdict within a time, and whether the worker had its last word."""
        worker = self._idle.pop() if self._idle else await Worker.start(self._limit, self._memory)
        self._busy.add(worker)
        if self._closed:  # while the worker was being started
            await worker.end()
        verdict: Verdict = Undecided(question.direction, _UNREAD)
        try:
            async with asyncio.timeout(seconds):
                async for verdict, final in worker.ask(question):
                    if final:
                        self._idle += [] if self._closed else [worker]
                        return verdict, True
            return _with_reason(verdict, await worker.end()), False
        except TimeoutError:
            return verdict, False
        finally:
            self._busy.discard(worker)
            if worker not in self._idle:
                await worker.end()


def _with_reason(verdict: Verdict, reason: str) -> Verdict:
    return replace(verdict, reason=reason) if isinstance(verdict, Undecided) else verdict
