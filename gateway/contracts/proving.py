"""Checking submissions without risk: in a process of its own that is killed when it takes too long.

What is in a submission was written by somebody else, and no limit on its shape can promise how
long two validators and their regular expressions work on it.
"""

import asyncio
import pickle

import msgspec

from gateway.base.errors import Invalid, Overloaded
from gateway.contracts.admission import NOTHING
from gateway.contracts.compatibility.child import Child
from gateway.contracts.compiling import Library
from gateway.contracts.prover import Fault
from gateway.contracts.values import Submission

START_LIMIT = 10.0  # seconds until the process must be ready
MEMORY = 1 << 30  # bytes
WAITING = 32
_MODULE = "gateway.contracts.prover"


class Proving:
    """Checks submissions one after another; the process starts when it is first needed."""

    def __init__(self, *, limit: float = 5.0) -> None:
        """`limit` is in seconds for each submission."""
        self._limit = limit
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._prover: Child | None = None

    async def admit(
        self,
        submission: Submission,
        library: Library = NOTHING,
        *,
        closed: bool = False,
    ) -> None:
        """Raises Invalid as `admission.admit` does, also when the time or the memory ran out.

        Raises Overloaded if too many wait.
        """
        if self._waiting >= WAITING:
            raise Overloaded("too many contracts wait for their check: try again")
        self._waiting += 1
        try:
            async with self._turn:
                fault = await self._fault(pickle.dumps((submission, library, closed)))
        finally:
            self._waiting -= 1
        if fault.message:
            raise Invalid(fault.message, pointer=fault.pointer)

    async def close(self) -> None:
        """End the process."""
        prover, self._prover = self._prover, None
        if prover is not None:
            await prover.kill()

    async def _fault(self, question: bytes) -> Fault:
        prover = self._prover or await Child.begin(_MODULE, self._limit, MEMORY, limit=START_LIMIT)
        self._prover = prover
        done = False
        try:
            async with asyncio.timeout(self._limit):
                await prover.write(question)
                fault = msgspec.json.decode(await prover.read(), type=Fault)
                done = True
                return fault
        except TimeoutError:
            return Fault(
                f"checking the schema and its examples took longer than {self._limit:g} s: "
                "simplify its regular expressions and references"
            )
        except (EOFError, ConnectionError):
            return Fault("checking the schema needed more memory than it may have: simplify it")
        finally:
            if not done:
                await self.close()
