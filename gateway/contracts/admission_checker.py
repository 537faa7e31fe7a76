"""Checks submissions in processes of their own, which are killed at the time limit.

A submission is untrusted, and no limit on its shape bounds the time that two validators and their
regular expressions need for it.
"""

import asyncio
import pickle
from collections.abc import Mapping

import msgspec

from gateway.base.errors import Invalid, Unavailable
from gateway.base.fair_turns import FairTurns
from gateway.contracts.admission import EMPTY_LIBRARY
from gateway.contracts.admission_worker import AdmissionAnswer
from gateway.contracts.child_process import ChildProcess
from gateway.contracts.compilation import Library
from gateway.contracts.cost import DEFAULT, Budget
from gateway.contracts.values import Submission

START_LIMIT = 10.0  # seconds until the process must be ready
MEMORY = 1 << 30  # bytes
_WORKER_MODULE = "gateway.contracts.admission_worker"


class AdmissionChecker:
    """Checks submissions in fair turns of the organisations, one at a time for each.

    There is one process more than an organisation can use, so one that registers expensive
    contracts makes no other wait. The processes start when they are first needed.
    """

    def __init__(
        self, *, workers: int = 2, limit: float = 5.0, queue: int = 32, budget: Budget = DEFAULT
    ) -> None:
        """`limit` is in seconds for each submission; `budget` is what an event may take.

        `queue` submissions of one organisation may wait.
        """
        self._limit, self._budget = limit, budget
        self._turns = FairTurns(slots=workers, share=1, queue=queue)
        self._idle: list[ChildProcess] = []
        self._busy: set[ChildProcess] = set()
        self._closed = False

    async def admit(
        self,
        submission: Submission,
        library: Library = EMPTY_LIBRARY,
        *,
        closed: bool = False,
    ) -> Mapping[int, int]:
        """Does what `admission.admit` does. Raises Invalid also at the time or memory limit.

        Raises Overloaded if too many submissions of the owner are waiting, and Unavailable if no
        process starts.
        """
        async with self._turns.turn(submission.contract.owner):
            arguments = (submission, library, closed, self._budget)
            answer = await self._check(pickle.dumps(arguments))
        if answer.message:
            raise Invalid(answer.message, pointer=answer.pointer, faults=answer.faults)
        return answer.inline

    async def close(self) -> None:
        """End the processes. What they work on, and what waits, ends as Unavailable."""
        self._closed = True
        processes, self._idle = [*self._idle, *self._busy], []
        await asyncio.gather(*(process.kill() for process in processes))

    async def _check(self, arguments: bytes) -> AdmissionAnswer:
        process = self._idle.pop() if self._idle else await self._start()
        self._busy.add(process)
        done = False
        try:
            self._require_open()
            async with asyncio.timeout(self._limit):
                await process.write(arguments)
                answer = msgspec.json.decode(await process.read(), type=AdmissionAnswer)
                done = True
                return answer
        except TimeoutError:
            return AdmissionAnswer(
                f"Checking the schema and its examples took longer than {self._limit:g} s. "
                "Simplify its regular expressions and references."
            )
        except (EOFError, ConnectionError):
            self._require_open()
            return AdmissionAnswer("Checking the schema exceeded its memory limit. Simplify it.")
        finally:
            self._busy.discard(process)
            if done:
                self._idle.append(process)
            else:
                await process.kill()

    def _require_open(self) -> None:
        if self._closed:
            raise Unavailable("This process is stopping. Repeat the request.")

    async def _start(self) -> ChildProcess:
        self._require_open()
        return await ChildProcess.start_module(
            _WORKER_MODULE, self._limit, MEMORY, limit=START_LIMIT
        )
