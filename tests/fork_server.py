"""A Python that has imported the gateway and forks: `python -m tests.fork_server PATH`.

Importing costs each process of the gateway more than a second of CPU, and a run starts hundreds.
A fork of this process has imported everything, and is from there on what `python -m MODULE` is:
with its own arguments, environment, working directory, session and log. PATH is a Unix socket.
Each connection asks for one process: JSON in one line. It answers with the process id, and with
the exit code (negative for a signal) once the process has ended. `tests/forked.py` is its client.
"""

import contextlib
import ctypes
import gc
import json
import os
import runpy
import signal
import socket
import sys
import time
from selectors import EVENT_READ, DefaultSelector
from typing import Any

PROCESSES = ("api", "deliver", "recovery", "relay", "retention")  # not grpc: it starts threads
PRELOADED = (
    "gateway.__main__",
    *(f"gateway.processes.{name}" for name in PROCESSES),
    "consumers.inbox",
    "consumers.runtime",
)
_SET_DEATH_SIGNAL = 1  # prctl(2), PR_SET_PDEATHSIG


class ForkServer:
    """Serves until the process that started it ends."""

    def __init__(self, path: str) -> None:
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(f"{path}.new")
        self._listener.listen(64)
        os.rename(f"{path}.new", path)  # once it is there it can be connected to
        self._woken, self._wake = socket.socketpair()
        self._wake.setblocking(False)
        self._woken.setblocking(False)
        self._running: dict[int, socket.socket] = {}

    def serve(self) -> dict[str, Any]:
        """Fork for each request. Returns in the forked process alone, with its request."""
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake.fileno())
        with DefaultSelector() as selector:
            selector.register(self._listener, EVENT_READ)
            selector.register(self._woken, EVENT_READ)
            while True:
                for key, _ in selector.select():
                    if key.fileobj is self._woken:
                        self._report_ended()
                    elif (request := self._fork()) is not None:
                        self._close()
                        return request

    def _fork(self) -> dict[str, Any] | None:
        """The request, in the process that was forked for it."""
        connection, _ = self._listener.accept()
        with connection.makefile("rb") as sent:
            request: dict[str, Any] = json.loads(sent.readline())
        pid = os.fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            connection.close()
            return request
        self._running[pid] = connection
        _send(connection, pid)
        return None

    def _close(self) -> None:
        for each in (self._listener, self._woken, self._wake, *self._running.values()):
            each.close()

    def _report_ended(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._woken.recv(4096):
                pass
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                pid, status = ended
                connection = self._running.pop(pid)
                _send(connection, os.waitstatus_to_exitcode(status))
                connection.close()


def become(request: dict[str, Any]) -> None:
    """Be what `python -m` would be, in a session of its own that ends with the fork server."""
    os.setsid()
    ctypes.CDLL(None).prctl(_SET_DEATH_SIGNAL, request["farewell"])
    os.chdir(request["folder"])
    log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for number in (1, 2):
        os.dup2(log, number)
    os.close(log)
    sys.stdout.reconfigure(write_through=True)  # type: ignore[union-attr]  # a text file
    os.environ.clear()
    os.environ.update(request["environ"])
    time.tzset()
    sys.argv = [request["module"], *request["arguments"]]
    runpy.run_module(request["module"], run_name="__main__", alter_sys=True)


def _send(connection: socket.socket, number: int) -> None:
    with contextlib.suppress(OSError):  # nobody asks any more
        connection.sendall(b"%d\n" % number)


def main() -> None:
    """Import, listen and fork."""
    server = ForkServer(sys.argv[1])
    for module in PRELOADED:
        __import__(module)
    del sys.modules["gateway.__main__"]  # a process runs it itself
    gc.freeze()  # a collection in a fork would copy the pages of what is shared
    become(server.serve())


if __name__ == "__main__":
    main()
