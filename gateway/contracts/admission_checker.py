"""Checks submissions in a process of its own, which is killed at its time limit.

A submission is untrusted, and no limit on its shape bounds the time that two validators and their
regular expressions need for it.
"""

import asyncio
import pickle

import msgspec

from gateway.base.errors import Invalid, Overloaded
from gateway.contracts.admission import EMPTY_LIBRARY
from gateway.contracts.admission_worker import AdmissionFault
from gateway.contracts.compatibility.child_process import ChildProcess
from gateway.contracts.compilation import Library
from gateway.contracts.values import Submission

START_LIMIT = 10.0  # seconds until the process must be ready
MEMORY = 1 << 30  # bytes
MAX_WAITING = 32
_WORKER_MODULE = "gateway.contracts.admission_worker"


class AdmissionChecker:
    """Checks submissions one after another; the process starts when it is first needed."""

    def __init__(self, *, limit: float = 5.0) -> None:
        """`limit` is in seconds for each submission."""
        self._limit = limit
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._process: ChildProcess | None = None

    async def admit(
        self,
        submission: Submission,
        library: Library = EMPTY_LIBRARY,
        *,
        closed: bool = False,
    ) -> None:
        """Raises Invalid as `admission.admit` does, also at the time or memory limit.

        Raises Overloaded if too many submissions are waiting.
        """
        if self._waiting >= MAX_WAITING:
            raise Overloaded("Too many contracts are waiting to be checked. Try again later.")
        self._waiting += 1
        try:
            async with self._turn:
                fault = await self._check(pickle.dumps((submission, library, closed)))
        finally:
            self._waiting -= 1
        if fault.message:
            raise Invalid(fault.message, pointer=fault.pointer)

    async def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is not None:
            await process.kill()

    async def _check(self, arguments: bytes) -> AdmissionFault:
        process = self._process or await ChildProcess.start_module(
            _WORKER_MODULE, self._limit, MEMORY, limit=START_LIMIT
        )
        self._process = process
        done = False
        try:
            async with asyncio.timeout(self._limit):
                await process.write(arguments)
                fault = msgspec.json.decode(await process.read(), type=AdmissionFault)
                done = True
                return fault
        except TimeoutError:
            return AdmissionFault(
                f"Checking the schema and its examples took longer than {self._limit:g} s. "
                "Simplify its regular expressions and references."
            )
        except (EOFError, ConnectionError):
            return AdmissionFault("Checking the schema exceeded its memory limit. Simplify it.")
        finally:
            if not done:
                await self.close()
