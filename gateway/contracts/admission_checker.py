"""Checks submissions in a process of its own, which is killed at its time limit.

A submission is untrusted, and no limit on its shape bounds the time that two validators and their
regular expressions need for it.
"""

import asyncio
import pickle
from collections.abc import Mapping

import msgspec

from gateway.base.errors import Invalid, Overloaded
from gateway.contracts.admission import EMPTY_LIBRARY
from gateway.contracts.admission_worker import AdmissionAnswer
from gateway.contracts.child_process import ChildProcess
from gateway.contracts.compilation import Library
from gateway.contracts.cost import DEFAULT, Budget
from gateway.contracts.values import Submission

START_LIMIT = 10.0  # seconds until the process must be ready
MEMORY = 1 << 30  # bytes
MAX_WAITING = 32
_WORKER_MODULE = "gateway.contracts.admission_worker"


class AdmissionChecker:
    """Checks submissions one after another; the process starts when it is first needed."""

    def __init__(self, *, limit: float = 5.0, budget: Budget = DEFAULT) -> None:
        """`limit` is in seconds for each submission; `budget` is what an event may take."""
        self._limit, self._budget = limit, budget
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._process: ChildProcess | None = None

    async def admit(
        self,
        submission: Submission,
        library: Library = EMPTY_LIBRARY,
        *,
        closed: bool = False,
    ) -> Mapping[int, int]:
        """Does what `admission.admit` does. Raises Invalid also at the time or memory limit.

        Raises Overloaded if too many submissions are waiting.
        """
        if self._waiting >= MAX_WAITING:
            raise Overloaded("Too many contracts are waiting to be checked. Try again later.")
        self._waiting += 1
        try:
            async with self._turn:
                arguments = (submission, library, closed, self._budget)
                answer = await self._check(pickle.dumps(arguments))
        finally:
            self._waiting -= 1
        if answer.message:
            raise Invalid(answer.message, pointer=answer.pointer)
        return answer.inline

    async def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is not None:
            await process.kill()

    async def _check(self, arguments: bytes) -> AdmissionAnswer:
        process = self._process or await ChildProcess.start_module(
            _WORKER_MODULE, self._limit, MEMORY, limit=START_LIMIT
        )
        self._process = process
        done = False
        try:
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
            return AdmissionAnswer("Checking the schema exceeded its memory limit. Simplify it.")
        finally:
            if not done:
                await self.close()
