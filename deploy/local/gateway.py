"""The gateway's own programs as child processes: those that stay, and those that end."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import psutil

from deploy.local.processes import Running, ServerError, Spawn, end, of_folder, spawn, tail

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 15.0  # seconds; requests under way may take 10


class GatewayProcess:
    """One `python -m gateway <command>` that stays, with a log of its own."""

    def __init__(
        self,
        name: str,
        command: str,
        *,
        run: Path,
        environ: Mapping[str, str],
        spawn: Spawn = spawn,
    ) -> None:
        self.name = name
        self.log = run / "log" / f"{name}.log"
        self._command = command
        self._run = run
        self._environ = environ
        self._spawn = spawn
        self._process: Running | None = None

    @property
    def running(self) -> bool:
        """Whether the process is alive."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        return self._process.pid if self._process is not None and self.running else None

    def listens_on(self, port: int) -> bool:
        """Whether it accepts connections on this port: each of those that share it, by itself."""
        return port in self._ports()[0]

    def connected_to(self, port: int) -> bool:
        """Whether it has a connection to a server on this port."""
        return port in self._ports()[1]

    def start(self) -> None:
        """Start it; that it serves is seen from outside."""
        self._process = self._spawn(
            _python(self._command),
            folder=_folder(self._run),
            environ=_environ(self._environ),
            log=self.log,
        )

    def stop(self) -> None:
        """SIGTERM, and SIGKILL if it does not end in time."""
        if self._process is not None:
            if self.running:
                end([psutil.Process(self._process.pid)], signal.SIGTERM, PATIENCE)
            self._process.wait()

    def kill(self) -> None:
        """SIGKILL it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _ports(self) -> tuple[set[int], set[int]]:
        """Where it listens, and where it is connected to. Raises ServerError when it has ended."""
        if self.pid is None:
            raise ServerError(f"{self.name} ended ({self.log}):\n{tail(self.log)}")
        listening, connected = set(), set()
        with contextlib.suppress(psutil.NoSuchProcess):
            for each in psutil.Process(self.pid).net_connections("tcp"):
                if each.status == psutil.CONN_LISTEN:
                    listening.add(each.laddr.port)
                elif each.status == psutil.CONN_ESTABLISHED:
                    connected.add(each.raddr.port)
        return listening, connected


async def carry_out(*arguments: str, run: Path, environ: Mapping[str, str]) -> str:
    """Run `python -m gateway <arguments>` to its end; what it printed.

    Raises ServerError with the end of its log when it fails.
    """
    log = run / "log" / f"{arguments[0]}.log"
    with log.open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            *_python(*arguments),
            cwd=_folder(run),
            env=_environ(environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
        )
        output, _ = await finish(process)
    if process.returncode != 0:
        raise ServerError(f"python -m gateway {arguments[0]} failed ({log}):\n{tail(log)}")
    return output.decode()


async def finish(
    process: asyncio.subprocess.Process, feed: bytes | None = None
) -> tuple[bytes, bytes]:
    """Wait for the end of a process, after feeding it; what it wrote. Kill it if cancelled."""
    try:
        return await process.communicate(feed)
    except asyncio.CancelledError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        raise


def end_leftovers(run: Path) -> None:
    """End the gateway processes of an earlier run that was killed."""
    python = Path(sys.executable)
    found = of_folder(_folder(run), {python.name, python.resolve().name, "python", "python3"})
    ours = []
    for process in found:
        with contextlib.suppress(psutil.Error):
            if process.cmdline()[1:3] == ["-m", "gateway"]:
                ours.append(process)
    end(ours, signal.SIGTERM, PATIENCE)


def _python(*arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "gateway", *arguments)


def _folder(run: Path) -> Path:
    # The working directory tells our processes from those of anybody else.
    folder = run / "gateway"
    folder.mkdir(exist_ok=True)
    return folder


def _environ(own: Mapping[str, str]) -> dict[str, str]:
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    return {**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONPATH": path, **own}
