"""Programs of the bench: those that stay, and those that end with an answer."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import httpx
import psutil

from bench.failure import BenchFailure
from bench.load import Load, Outcome
from bench.waiting import until
from deploy.local.gateway import finish
from deploy.local.ports import LOOPBACK
from deploy.local.processes import end, spawn, tail

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 15.0


def environment(own: Mapping[str, str]) -> dict[str, str]:
    """Ours, without settings for some other Nusabus, and with `own`."""
    inherited = {name: v for name, v in os.environ.items() if not name.startswith("NUSABUS_")}
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    return {**inherited, "PYTHONUNBUFFERED": "1", "PYTHONPATH": path, **own}


class Service:
    """One program that stays until it is stopped; it ends with us in any case."""

    def __init__(self, name: str, *command: str, folder: Path, own: Mapping[str, str]) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self._command = (sys.executable, *command)
        self._folder = folder
        self._own = own
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    async def start(self) -> None:
        """Start it; whether it serves is seen from outside."""
        self._process = await asyncio.to_thread(
            lambda: spawn(
                self._command, folder=self._folder, environ=environment(self._own), log=self.log
            )
        )

    async def stop(self) -> None:
        """SIGTERM, and SIGKILL if it does not end in time."""
        process, self._process = self._process, None
        if process is not None:
            if process.poll() is None:
                left = [psutil.Process(process.pid)]
                await asyncio.to_thread(end, left, signal.SIGTERM, PATIENCE)
            process.wait()

    async def kill(self) -> None:
        """SIGKILL it, and see it gone."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            await asyncio.to_thread(process.wait)

    def require_alive(self) -> None:
        """Raises BenchFailure with the end of its log if it has ended."""
        if self.pid is None:
            raise BenchFailure(f"{self.name} ended ({self.log}):\n{tail(self.log)}")


async def wait_serving(service: Service, port: int) -> None:
    """Wait until a service answers HTTP. Raises BenchFailure if it ends, or takes too long."""

    async def serves() -> bool:
        service.require_alive()
        try:
            async with httpx.AsyncClient() as http:
                await http.get(f"http://{LOOPBACK}:{port}/")
            return True
        except httpx.TransportError:
            return False

    await until(serves, seconds=30, failure=f"{service.name} does not serve")


async def fire(load: Load) -> Outcome:
    """Carry out a load. Raises BenchFailure when anything was not accepted."""
    return Outcome(**await answer_of("bench.load", asdict(load)))


async def answer_of(module: str, question: Mapping[str, Any]) -> dict[str, Any]:
    """Run a module of the bench that reads JSON and writes JSON."""
    output = await run("-m", module, feed=json.dumps(question).encode())
    answer: dict[str, Any] = json.loads(output)
    return answer


async def run(*arguments: str, own: Mapping[str, str] | None = None, feed: bytes = b"") -> str:
    """Run Python with these arguments to its end; what it printed. Raises BenchFailure."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments,
        cwd=ROOT, env=environment(own or {}), start_new_session=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    output, errors = await finish(process, feed)
    if process.returncode != 0:
        said = errors.decode(errors="replace").strip()[-2000:]
        raise BenchFailure(f"python {' '.join(arguments)}: {said}")
    return output.decode()
