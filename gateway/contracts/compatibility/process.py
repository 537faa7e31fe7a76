"""A worker as the gateway holds it: an interpreter that imports little and may be killed.

It is started without a shell and with an empty environment, so it knows no secret, and its
memory is bounded before it reads anything.
"""

import asyncio
import contextlib
import sys
from asyncio import StreamReader, StreamWriter
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from pathlib import Path

from gateway.contracts.compatibility import wire
from gateway.contracts.compatibility.question import Question, Verdict
from gateway.errors import Unavailable

START_LIMIT = 10.0  # seconds until a new worker must be ready
_DEATHS = {
    -6: "the comparison needed more memory than it may have",
    -11: "the comparison went too deep",
    -24: "the comparison needed more time than it may have",
}

# The rooms on the way are entered without their doors: `gateway.contracts` opens the database.
_BOOT = """
import sys, types
*places, seconds, memory = sys.argv[1:]
for name, place in zip(("gateway", "gateway.contracts", "gateway.contracts.compatibility"), places):
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = [place]
from gateway.contracts.compatibility.worker import main
main(float(seconds), int(memory))
"""


class Worker:
    """One worker process. It answers one question at a time."""

    def __init__(self, process: Process, questions: StreamWriter, verdicts: StreamReader) -> None:
        self._process = process
        self._questions, self._verdicts = questions, verdicts

    @classmethod
    async def start(cls, seconds: float, memory: int) -> "Worker":
        """A worker that is ready. Raises Unavailable if it does not start."""
        here = Path(__file__).parent
        places = [str(each) for each in (here.parent.parent, here.parent, here)]
        bounds = [str(seconds), str(memory)]
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-c", _BOOT, *places, *bounds),
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
            env={},
        )
        worker = cls(process, *_pipes(process))
        try:
            async with asyncio.timeout(START_LIMIT):
                await worker._read()
        except (TimeoutError, EOFError):
            await worker.end()
            raise Unavailable("the worker that compares schemas does not start") from None
        except BaseException:
            await worker.end()
            raise
        return worker

    async def ask(self, question: Question) -> AsyncIterator[tuple[Verdict, bool]]:
        """Verdicts, the last one final. Ends early if the worker dies."""
        with contextlib.suppress(EOFError, ConnectionError):
            self._questions.write(wire.framed(wire.encode_question(question)))
            await self._questions.drain()
            while True:
                yield wire.decode_verdict(await self._read())

    async def end(self) -> str:
        """Kill it, now, and say what it died of if it was dead before."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        code = await self._process.wait()
        self._questions.close()
        return _DEATHS.get(code, "the comparison was ended")

    async def _read(self) -> bytes:
        """The next body. Raises EOFError if the worker is dead."""
        size = wire.length(await self._verdicts.readexactly(wire.HEADER))
        return await self._verdicts.readexactly(size)


def _pipes(process: Process) -> tuple[StreamWriter, StreamReader]:
    if process.stdin is None or process.stdout is None:
        raise Unavailable("the worker that compares schemas has no pipes")
    return process.stdin, process.stdout
