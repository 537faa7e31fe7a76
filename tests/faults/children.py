"""The gateway's processes, as children that can be killed, frozen and started again."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from deploy.local.gateway import ROOT
from deploy.local.processes import Running, end, tail
from tests.forked import spawn

PATIENCE = 15.0


def environment(own: Mapping[str, str]) -> dict[str, str]:
    """Ours without settings of some other gateway, and with `own`."""
    inherited = {name: v for name, v in os.environ.items() if not name.startswith("NUSABUS_")}
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    return {**inherited, "PYTHONPATH": path, "PGSSLMODE": "disable", **own}


def command(program: str, bug: str | None) -> Sequence[str]:
    """How to start a process of the gateway, or a consumer; with a seeded bug or as it is."""
    if bug is None and program == "consumer":
        return (sys.executable, "-m", "tests.faults.consumer_service")
    if bug is None:
        return (sys.executable, "-m", "gateway", program)
    return (sys.executable, "-m", "tests.faults.seeded_bugs", bug, "--", program)


class Child:
    """One process that is meant to run, unless a fault says otherwise."""

    def __init__(
        self, name: str, command: Sequence[str], folder: Path, own: Mapping[str, str]
    ) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self.meant_to_run = False
        self._command = command
        self._folder = folder
        self._own = own
        self._process: Running | None = None

    @property
    def pid(self) -> int:
        """Its process id; 0 while it does not run."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else 0

    @property
    def exit_code(self) -> int | None:
        """How it ended; negative for a signal, None while it runs."""
        return None if self._process is None else self._process.poll()

    @property
    def stopped(self) -> bool:
        """Whether it is frozen."""
        return psutil.Process(self.pid).status() == psutil.STATUS_STOPPED

    @property
    def listening(self) -> bool:
        """Whether it accepts connections."""
        if not self.pid:
            return False
        connections = psutil.Process(self.pid).net_connections(kind="tcp")
        return any(connection.status == psutil.CONN_LISTEN for connection in connections)

    def connections_to(self, port: int) -> list[int]:
        """Its own ports of the connections to a server."""
        found = psutil.Process(self.pid).net_connections(kind="tcp")
        return [each.laddr.port for each in found if each.raddr and each.raddr.port == port]

    async def start(self) -> None:
        """Start it. That it serves is seen from outside."""
        self._process = await asyncio.to_thread(
            lambda: spawn(
                self._command,
                folder=self._folder,
                environ=environment(self._own),
                log=self.log,
                farewell=signal.SIGKILL,  # one that is frozen hears nothing else
            )
        )
        self.meant_to_run = True

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    async def kill(self) -> None:
        """SIGKILL it, and see it gone."""
        self.meant_to_run = False
        if self._process is not None:
            self._process.kill()
            await asyncio.to_thread(self._process.wait)

    async def replace(self) -> int | None:
        """Start another one, and SIGTERM this one once that accepts connections; how it ended."""
        old = self._process
        assert old is not None
        await self.start()
        while self.pid and not self.listening:  # noqa: ASYNC110 - no other sign
            await asyncio.sleep(0.05)
        await asyncio.to_thread(end, [psutil.Process(old.pid)], signal.SIGTERM, PATIENCE)
        return await asyncio.to_thread(old.wait)

    async def stop(self) -> None:
        """SIGTERM, and SIGKILL if it does not end in time."""
        self.meant_to_run = False
        if self._process is not None:
            if self.pid:
                await asyncio.to_thread(end, [psutil.Process(self.pid)], signal.SIGTERM, PATIENCE)
            self._process.wait()

    def last_words(self) -> str:
        """The end of its log."""
        return tail(self.log, 3)


async def carry_out(*arguments: str, folder: Path, own: Mapping[str, str]) -> str:
    """Run `python -m gateway <arguments>` to its end; what it printed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway", *arguments,
        cwd=folder, env=environment(own), stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    output, errors = await process.communicate()
    assert process.returncode == 0, f"gateway {arguments[0]} failed: {errors.decode()}"
    return output.decode()
