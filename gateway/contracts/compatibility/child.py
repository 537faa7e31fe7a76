"""A process beside the gateway that works on what others wrote, and may be killed at any time.

It is started without a shell and with an empty environment, so it knows no secret, and it imports
little. Bodies go both ways with their length before them; the first one says that it is ready.
"""

import asyncio
import contextlib
import sys
from asyncio import StreamReader, StreamWriter
from asyncio.subprocess import DEVNULL, PIPE, Process
from pathlib import Path
from typing import Self

from gateway.base.errors import Unavailable
from gateway.contracts.compatibility import wire

ROOT = Path(__file__).parents[3]

# The rooms on the way are entered without their doors: `gateway.contracts` opens the database.
_BOOT = """
import importlib, sys, types
module, place, seconds, memory = sys.argv[1:]
words = module.split(".")
for depth in range(1, len(words)):
    room, place = ".".join(words[:depth]), f"{place}/{words[depth - 1]}"
    sys.modules[room] = types.ModuleType(room)
    sys.modules[room].__path__ = [place]
importlib.import_module(module).main(float(seconds), int(memory))
"""


class Child:
    """One process that runs `main(seconds, memory)` of a module."""

    def __init__(self, process: Process, questions: StreamWriter, answers: StreamReader) -> None:
        self._process = process
        self._questions, self._answers = questions, answers

    @classmethod
    async def begin(cls, module: str, seconds: float, memory: int, *, limit: float) -> Self:
        """A child that is ready. Raises Unavailable if it is not within `limit` seconds."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-c", _BOOT, module, str(ROOT), str(seconds), str(memory)),
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
            env={},
        )
        if process.stdin is None or process.stdout is None:
            raise Unavailable(f"{module} has no pipes")
        child = cls(process, process.stdin, process.stdout)
        try:
            async with asyncio.timeout(limit):
                await child.read()
        except (TimeoutError, EOFError):
            await child.kill()
            raise Unavailable("the process that checks schemas does not start: try again") from None
        except BaseException:
            await child.kill()
            raise
        return child

    async def write(self, body: bytes) -> None:
        """Give it something to do. Raises ConnectionError if it is dead."""
        self._questions.write(wire.framed(body))
        await self._questions.drain()

    async def read(self) -> bytes:
        """The next body from it. Raises EOFError if it is dead."""
        size = wire.length(await self._answers.readexactly(wire.HEADER))
        return await self._answers.readexactly(size)

    async def kill(self) -> int:
        """End it, now; how it ended, also if it was dead before."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        code = await self._process.wait()
        self._questions.close()
        return code
