"""Python programs as forks of a process that has imported what they need: they start at once."""

import atexit
import json
import os
import select
import shutil
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

from deploy.local.gateway import ROOT
from deploy.local.processes import Running
from deploy.local.processes import spawn as spawn_program
from tests.waiting import eventually

# What the interpreter and its libraries read when they start. A fork has that of the fork server.
READ_AT_START = ("PYTHON", "LD_", "MALLOC_", "OPENSSL_")


def spawn(
    command: Sequence[str],
    *,
    folder: Path,
    environ: Mapping[str, str],
    log: Path,
    farewell: signal.Signals = signal.SIGTERM,
) -> Running:
    """Do what `deploy.local.processes.spawn` does; by a fork, if it is `python -m MODULE`.

    A program for which Python itself has other settings, such as a defect that a test puts into
    it (`tests/defective.py`), is started as it is.
    """
    python, option, module, *arguments = command
    usual = _read_at_start(environ) == _read_at_start(_environ())
    # The library of gRPC does not promise to work in a fork.
    if (python, option) != (sys.executable, "-m") or arguments[-1:] == ["grpc"] or not usual:
        return spawn_program(command, folder=folder, environ=environ, log=log, farewell=farewell)
    log.touch()  # as the other one has done when it returns
    request = {
        "module": module,
        "arguments": arguments,
        "folder": str(folder.resolve()),
        "environ": dict(environ),
        "log": str(log.resolve()),
        "farewell": int(farewell),
    }
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(_fork_server())
    connection.sendall(json.dumps(request).encode() + b"\n")
    return Forked(connection)


class Forked:
    """A process that the fork server has started; used like a `subprocess.Popen`."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self._ended: int | None = None
        self._said = b""
        while b"\n" not in self._said:
            self._hear()
        pid, _, self._said = self._said.partition(b"\n")
        self.pid = int(pid)

    def poll(self) -> int | None:
        """How it ended; None while it runs."""
        with self._lock:
            if self._ended is None and (b"\n" in self._said or self._speaks(0)):
                try:
                    while b"\n" not in self._said:
                        self._hear()
                    self._ended = int(self._said)
                except ConnectionError:  # a fork ends with the fork server
                    self._ended = -signal.SIGTERM
                self._connection.close()
            return self._ended

    def wait(self) -> int:
        """How it ended, once it has."""
        while (ended := self.poll()) is None:
            with suppress(OSError):  # another thread has heard it
                self._speaks(0.05)
        return ended

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL it."""
        self.send_signal(signal.SIGKILL)

    def _speaks(self, seconds: float) -> bool:
        poll = select.poll()
        poll.register(self._connection, select.POLLIN)
        return bool(poll.poll(seconds * 1000))

    def _hear(self) -> None:
        heard = self._connection.recv(64)
        if not heard:
            raise ConnectionError("the fork server has ended")
        self._said += heard


@cache
def _fork_server() -> str:
    """The socket of this process's fork server, which is started when it is first needed."""
    folder = Path(tempfile.mkdtemp(prefix="forks-"))
    path = str(folder / "socket")
    command = (sys.executable, "-m", "tests.fork_server", path)
    log = folder / "log"
    server = spawn_program(command, folder=ROOT, environ=_environ(), log=log)

    def end() -> None:
        server.kill()
        server.wait()
        shutil.rmtree(folder)

    atexit.register(end)

    def listens() -> bool:
        assert server.poll() is None, log.read_text()
        return Path(path).exists()

    eventually(listens)
    return path


def _environ() -> dict[str, str]:
    """That of the fork server."""
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    return {**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONPATH": path}


def _read_at_start(environ: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in environ.items()
        if name.startswith(READ_AT_START) and name != "PYTHONUNBUFFERED"
    }
