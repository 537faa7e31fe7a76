"""RabbitMQ on this machine: found, installed by apt, or run by Docker Compose.

An installation made here leaves no broker of the system's running: the private nodes under `.run/`
only use its files.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import Enum
from pathlib import Path

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

PACKAGE = "rabbitmq-server"
POLICY = Path("/usr/sbin/policy-rc.d")
# Where Debian, the generic Unix archive, and Homebrew put the start script.
PLACES = (
    "/usr/lib/rabbitmq/bin",
    "/opt/rabbitmq/sbin",
    "/usr/local/lib/rabbitmq/sbin",
    "/opt/homebrew/opt/rabbitmq/sbin",
    "/usr/local/opt/rabbitmq/sbin",
)
# Runs a program of Debian 13, on a machine that has another Linux.
DEBIAN_13 = Path(__file__).with_name("debian13.sh")
CHOICE = "LOCAL_BROKER"
ADVICE = (
    "RabbitMQ is missing and cannot be installed from here: install the package rabbitmq-server "
    "(version 3.10 or later), or start Docker, or set NUSABUS_AMQP_URL and NUSABUS_MANAGEMENT_URL "
    "to a broker of your own."
)


class NotInstalled(Exception):
    """RabbitMQ is missing; the text is one sentence that says what to do."""


class Source(Enum):
    """What can run a broker here."""

    SERVER = "the installed server"
    COMPOSE = "Docker Compose"


def broker_system() -> tuple[str, ...]:
    """What stands before a broker's command: nothing, or what runs it on Debian 13.

    LOCAL_BROKER=debian13 asks for the RabbitMQ of Debian 13. Raises NotInstalled.
    """
    choice = os.environ.get(CHOICE, "")
    if choice not in ("", "debian13"):
        raise NotInstalled(f"{CHOICE} is {choice!r}. Use `debian13`, or unset it.")
    return (str(DEBIAN_13), "--server") if choice else ()


def rabbitmq_scripts() -> Path | None:
    """The folder with RabbitMQ's own start scripts; None when it is not installed.

    Debian's `/usr/sbin/rabbitmq-server` is a wrapper that insists on root: next to where it points
    to stands the real script, which any user can run.
    """
    if broker_system():
        return Path(PLACES[0])
    found = shutil.which(PACKAGE)
    beside = [str(Path(found).resolve().parent)] if found else []
    for place in (*beside, *PLACES):
        script = Path(place) / PACKAGE
        if os.access(script, os.X_OK) and shutil.which("erl"):
            return script.parent
    return None


def ensure_rabbitmq() -> Source:
    """Return what runs a broker here, installing it where that is allowed. Raises NotInstalled."""
    if broker_system() and not _succeeds((str(DEBIAN_13), "--fetch")):
        raise NotInstalled(f"Debian 13 cannot be fetched. Run {DEBIAN_13} --fetch to see why.")
    if rabbitmq_scripts():
        return Source.SERVER
    prefix = privileges()
    if prefix is not None and shutil.which("apt-get") and install_by_apt(prefix):
        return Source.SERVER
    if docker_answers():
        return Source.COMPOSE
    raise NotInstalled(ADVICE)


def privileges() -> Sequence[str] | None:
    """What to write before a command that needs root; None when root is out of reach."""
    if os.geteuid() == 0:
        return ()
    if shutil.which("sudo") and _succeeds(("sudo", "-n", "true")):
        return ("sudo", "-n")
    return None


def docker_answers() -> bool:
    """Whether an engine answers and has the compose plugin."""
    return (
        shutil.which("docker") is not None
        and _succeeds(("docker", "info"))
        and _succeeds(("docker", "compose", "version"))
    )


def install_by_apt(prefix: Sequence[str]) -> bool:
    """Install the server without starting it. False when apt could not."""
    with (
        Progress(
            TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), transient=False
        ) as progress,
        _services_held_back(prefix),
    ):
        task = progress.add_task("Installing RabbitMQ: package lists", total=100)
        if not _apt(prefix, ("update",)):
            progress.console.print("apt-get update failed; trying with the lists that are there")
        options = ("-o", "Dpkg::Options::=--force-confold", "-o", "APT::Status-Fd=1")
        lines: list[str] = []
        command = ("install", "-y", "--no-install-recommends", *options, PACKAGE)
        for line in _apt_lines(prefix, command, lines):
            stage, percent, text = line
            progress.update(
                task, completed=percent, description=f"Installing RabbitMQ: {stage}{text}"
            )
    if rabbitmq_scripts() is None:
        print("apt-get could not install rabbitmq-server:\n" + "\n".join(lines[-5:]))
        return False
    # Fresh from the package: nobody runs it yet, and at the next boot it would take port 5672.
    if Path("/run/systemd/system").exists():
        _succeeds((*prefix, "systemctl", "disable", "--now", PACKAGE))
    return True


def _apt_lines(
    prefix: Sequence[str], command: Sequence[str], lines: list[str]
) -> Iterator[tuple[str, float, str]]:
    """Run apt-get and yield (stage, percent of all, text); other output is kept in `lines`."""
    full = (*prefix, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", *command)
    with subprocess.Popen(
        full, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None  # noqa: S101  (PIPE was asked for)
        for line in process.stdout:
            kind, *fields = line.rstrip().split(":", 3)
            if kind == "dlstatus" and len(fields) == 3:
                yield "downloading", float(fields[1]) * 0.4, ""
            elif kind == "pmstatus" and len(fields) == 3:
                yield "unpacking ", 40 + float(fields[1]) * 0.6, fields[0].partition(":")[0]
            elif line.strip():
                lines.append(line.rstrip())


def _apt(prefix: Sequence[str], command: Sequence[str]) -> bool:
    return _succeeds((*prefix, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", *command))


def _succeeds(command: Sequence[str]) -> bool:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    return done.returncode == 0


@contextmanager
def _services_held_back(prefix: Sequence[str]) -> Iterator[None]:
    """Deny service starts during the installation (policy-rc.d), unless a policy is set already.

    invoke-rc.d(8): exit code 101 of the policy layer means "action forbidden by policy".
    """
    if POLICY.exists():
        yield
        return
    with tempfile.NamedTemporaryFile("w", suffix=".policy") as file:
        file.write("#!/bin/sh\nexit 101\n")
        file.flush()
        _succeeds((*prefix, "install", "-m", "755", file.name, str(POLICY)))
    try:
        yield
    finally:
        _succeeds((*prefix, "rm", "-f", str(POLICY)))


if __name__ == "__main__":
    print(f"RabbitMQ: {ensure_rabbitmq().value}")
