"""A child process that works on untrusted schemas and may be killed at any time.

It is started without a shell and with an empty environment, so it holds no secret, and it imports
little. Each body is preceded by its length; the first body of the child says that it is ready.
"""

import asyncio
import contextlib
import os
import sys
from asyncio import StreamReader, StreamWriter
from asyncio.subprocess import DEVNULL, PIPE, Process
from pathlib import Path
from typing import Self

from gateway.base.errors import Unavailable
from gateway.contracts import framing

_ENDING = 1.0  # seconds until a process that closed its output has ended
ROOT = Path(__file__).parents[2]

# Parent packages become empty modules: `gateway.contracts` itself would import the database.
_BOOT = """
import importlib, sys, types
module, path, seconds, memory = sys.argv[1:]
names = module.split(".")
for depth in range(1, len(names)):
    package, path = ".".join(names[:depth]), f"{path}/{names[depth - 1]}"
    sys.modules[package] = types.ModuleType(package)
    sys.modules[package].__path__ = [path]
importlib.import_module(module).main(float(seconds), int(memory))
"""


class ChildProcess:
    """One process that runs `main(seconds, memory)` of a module."""

    def __init__(self, process: Process, stdin: StreamWriter, stdout: StreamReader) -> None:
        self._process = process
        self._stdin, self._stdout = stdin, stdout

    @classmethod
    async def start_module(cls, module: str, seconds: float, memory: int, *, limit: float) -> Self:
        """Start `main` of a module. Raises Unavailable if it is not ready in `limit` seconds."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-c", _BOOT, module, str(ROOT), str(seconds), str(memory)),
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
            env={},
        )
        if process.stdin is None or process.stdout is None:
            raise Unavailable(f"{module} has no pipes.")
        child = cls(process, process.stdin, process.stdout)
        try:
            async with asyncio.timeout(limit):
                await child.read()
        except (TimeoutError, EOFError):
            await child.kill()
            raise Unavailable(
                "The process that checks schemas does not start. Try again."
            ) from None
        except BaseException:
            await child.kill()
            raise
        return child

    def run_when_idle(self) -> None:
        """From now on the process runs only while nothing else on the machine wants to.

        Any other process that wakes up takes its processor at once. A nice value does not do that:
        since Linux 6.6 it divides the time, but who runs may end its slice of some milliseconds.
        """
        with contextlib.suppress(ProcessLookupError):
            os.sched_setscheduler(self._process.pid, os.SCHED_IDLE, os.sched_param(0))

    async def write(self, body: bytes) -> None:
        """Send one body. Raises ConnectionError if the process is dead."""
        try:
            self._stdin.write(framing.framed(body))
            await self._stdin.drain()
        except RuntimeError:  # what uvloop raises for a pipe that was closed
            raise ConnectionError("The process has ended.") from None

    async def read(self) -> bytes:
        """The next body from the process. Raises EOFError if it is dead."""
        size = framing.length(await self._stdout.readexactly(framing.HEADER))
        return await self._stdout.readexactly(size)

    async def kill(self) -> int:
        """Kill the process; returns its exit code, also if it was dead before."""
        if self._stdout.at_eof():  # it is ending: a signal now could lose its exit code
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_ENDING):
                    await self._process.wait()
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        code = await self._process.wait()
        self._stdin.close()
        return code
