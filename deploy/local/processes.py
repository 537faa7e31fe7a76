"""Child processes that end with us, and leftovers of a run that was killed."""

import contextlib
import fcntl
import os
import queue
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import psutil


class ServerError(Exception):
    """A private server cannot do what was asked; the text says why and where its log is."""


class AlreadyRunning(ServerError):
    """Another process holds this folder."""


class Running(Protocol):
    """A child process, as `subprocess.Popen` shows it."""

    pid: int

    def poll(self) -> int | None:
        """How it ended; None while it runs."""

    def wait(self) -> int:
        """How it ended, once it has."""

    def send_signal(self, sig: int) -> None:
        """Send it a signal, unless it has ended."""

    def kill(self) -> None:
        """SIGKILL it."""


class Spawn(Protocol):
    """Starts a program, as `spawn` does."""

    def __call__(
        self, command: Sequence[str], *, folder: Path, environ: Mapping[str, str], log: Path
    ) -> Running: ...


@dataclass(frozen=True, slots=True)
class Account:
    """Whom a program runs as."""

    uid: int
    gid: int


class Lock:
    """One process at a time per folder. The kernel releases it when its holder dies."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: int | None = None

    @property
    def held(self) -> bool:
        """Whether this process took the folder by this lock."""
        return self._file is not None

    def take(self) -> None:
        """Hold the folder. Raises AlreadyRunning, with the holder's process id where known."""
        if self._file is not None:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.read(file, 20).decode().strip() or "unknown"
            os.close(file)
            raise AlreadyRunning(
                f"{self.path.parent} is in use by another process (id {holder})"
            ) from None
        os.truncate(file, 0)
        os.write(file, str(os.getpid()).encode())
        self._file = file

    def release(self) -> None:
        """Let the folder go."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def spawn(
    command: Sequence[str],
    *,
    folder: Path,
    environ: Mapping[str, str],
    log: Path,
    account: Account | None = None,
    farewell: signal.Signals = signal.SIGTERM,
) -> subprocess.Popen[bytes]:
    """Start a program in `folder`, in a session of its own (Ctrl-C reaches us only).

    When this process dies the kernel sends it `farewell` (Linux, PR_SET_PDEATHSIG).
    """
    if shutil.which("setpriv"):
        command = ("setpriv", "--pdeathsig", farewell.name.removeprefix("SIG"), "--", *command)
    with log.open("ab") as output:
        return _from_lasting_thread(
            lambda: subprocess.Popen(
                command,
                cwd=folder,
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=account.uid if account else None,
                group=account.gid if account else None,
                extra_groups=[] if account else None,
            )
        )


def of_folder(folder: Path, programs: Iterable[str]) -> list[psutil.Process]:
    """The processes whose working directory is `folder` or below it and whose program is listed.

    That holds for all that `spawn` starts there, and for nothing that somebody else runs.
    """
    wanted, found = set(programs), []
    root = str(folder.resolve())
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.name() not in wanted:
                continue
            place = process.cwd().removesuffix(" (deleted)")
            if place == root or place.startswith(root + os.sep):
                found.append(process)
    return found


def end(processes: Iterable[psutil.Process], first: signal.Signals, patience: float) -> None:
    """Send `first`, wait up to `patience` seconds, then kill what is left and wait for that."""
    left = list(processes)
    for number in (first, signal.SIGKILL):
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)
                process.send_signal(signal.SIGCONT)  # a stopped process would not see it
        _, left = psutil.wait_procs(left, timeout=patience)
        if not left:
            return


def wait_until(condition: Callable[[], bool], *, seconds: float, failure: str) -> None:
    """Poll until the condition holds. Raises ServerError with `failure` after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise ServerError(f"{failure} within {seconds:.0f} s")
        time.sleep(0.02)


def tail(log: Path, lines: int = 8) -> str:
    """The end of a log, for an error message."""
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
    except OSError:
        return "(no log)"


_Start = Callable[[], "subprocess.Popen[bytes]"]
_start_count: "queue.SimpleQueue[tuple[_Start, Future[subprocess.Popen[bytes]]]]" = (
    queue.SimpleQueue()
)
_starter: threading.Thread | None = None


def _from_lasting_thread(start: _Start) -> "subprocess.Popen[bytes]":
    """Run `start` in a thread that lives as long as this process.

    The kernel ties PR_SET_PDEATHSIG to the thread that forked, not to its process (prctl(2)): a
    server started from a pool's worker would end with that worker.
    """
    global _starter
    if _starter is None or not _starter.is_alive():
        _starter = threading.Thread(target=_serve_start_count, name="starter", daemon=True)
        _starter.start()
    answer: Future[subprocess.Popen[bytes]] = Future()
    _start_count.put((start, answer))
    return answer.result()


def _serve_start_count() -> None:
    while True:
        start, answer = _start_count.get()
        try:
            answer.set_result(start())
        except BaseException as error:
            answer.set_exception(error)
