"""Checking submissions without risk: in a process of its own that is killed when it takes too long.

What is in a submission was written by somebody else, and no limit on its shape can promise how
long two validators and their regular expressions work on it.
"""

import asyncio
import contextlib
import pickle
import sys
from asyncio import StreamReader, StreamWriter
from asyncio.subprocess import DEVNULL, PIPE, Process
from dataclasses import dataclass
from pathlib import Path

import msgspec

from gateway.contracts.admission import NOTHING
from gateway.contracts.compatibility import wire
from gateway.contracts.compiling import Library
from gateway.contracts.prover import Fault
from gateway.contracts.values import Submission
from gateway.errors import Invalid, Overloaded, Unavailable

START_LIMIT = 10.0  # seconds until the process must be ready
MEMORY = 1 << 30  # bytes
WAITING = 32
_NOT_STARTED = "the process that checks contracts does not start: try again"

# The rooms on the way are entered without their doors: `gateway.contracts` opens the database.
_BOOT = """
import sys, types
for name, place in zip(("gateway", "gateway.contracts"), sys.argv[1:3]):
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = [place]
from gateway.contracts.prover import main
main(float(sys.argv[3]), int(sys.argv[4]))
"""


@dataclass(frozen=True, slots=True)
class _Prover:
    """The process and its pipes."""

    process: Process
    submissions: StreamWriter
    faults: StreamReader

    async def read(self) -> Fault:
        """The next answer. Raises EOFError if the process is dead."""
        size = wire.length(await self.faults.readexactly(wire.HEADER))
        return msgspec.json.decode(await self.faults.readexactly(size), type=Fault)


class Proving:
    """Checks submissions one after another; the process starts when it is first needed."""

    def __init__(self, *, limit: float = 5.0) -> None:
        """`limit` is in seconds for each submission."""
        self._limit = limit
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._prover: _Prover | None = None

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
            with contextlib.suppress(ProcessLookupError):
                prover.process.kill()
            await prover.process.wait()
            prover.submissions.close()

    async def _fault(self, question: bytes) -> Fault:
        prover = self._prover or await self._start()
        done = False
        try:
            async with asyncio.timeout(self._limit):
                prover.submissions.write(wire.framed(question))
                await prover.submissions.drain()
                fault = await prover.read()
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

    async def _start(self) -> _Prover:
        here = Path(__file__).parent
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-c", _BOOT, str(here.parent), str(here)),
            *(str(self._limit), str(MEMORY)),
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
            env={},
        )
        if process.stdin is None or process.stdout is None:
            raise Unavailable(_NOT_STARTED)
        self._prover = _Prover(process, process.stdin, process.stdout)
        try:
            async with asyncio.timeout(START_LIMIT):
                await self._prover.read()
        except (TimeoutError, EOFError):
            await self.close()
            raise Unavailable(_NOT_STARTED) from None
        return self._prover
