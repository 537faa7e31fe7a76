"""Programs that we did not write, for the tests and the bench: found, or installed by apt.

GnuCOBOL compiles the programs that are the other side of the legacy adapter, OpenSSH is the SFTP
server and client of a ministry, amqp-tools read the queues as a subscriber's own client would, and
nginx is the proxy of `deploy/proxy`. The official test suite of JSON Schema is data. The product
itself needs none of them.
"""

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from deploy.local.install import privileges

# By the command that is looked for.
PACKAGES = {
    "cobc": "gnucobol3",
    "amqp-consume": "amqp-tools",
    "sftp": "openssh-client",
    "javac": "default-jdk-headless",
}
_LIBRARY = re.compile(r"(?:^|, )(lib[a-z0-9.+-]+)")
UNPACKED = Path(__file__).resolve().parents[2] / ".run" / "peers"


def ensure(command: str) -> bool:
    """Whether a command is here, after an attempt to install it where that is allowed."""
    if shutil.which(command):
        return True
    package = PACKAGES[command]
    print(f"Installing {package}", flush=True)
    _apt("update", "-q")
    _apt("install", "-y", "-q", "--no-install-recommends", package)
    return shutil.which(command) is not None


def sshd(folder: Path = UNPACKED) -> Path | None:
    """OpenSSH's server, see `_server`; the installed package listens on port 22 for everybody."""
    usage = ("-?",)  # answered with 1
    program = _server("openssh-server", "sshd", usage, folder, wanted=1)
    if program is None:
        return None
    session = program.parents[1] / "lib" / "openssh" / "sshd-session"  # since OpenSSH 9.8
    works = not session.exists() or _succeeds((str(session), *usage), wanted=1)
    return program if works else None


def nginx(folder: Path = UNPACKED) -> Path | None:
    """nginx, see `_server`; the installed package listens on port 80."""
    return _server("nginx", "nginx", ("-v",), folder)


def json_schema_suite(folder: Path = UNPACKED) -> Path | None:
    """The official test suite of JSON Schema: a folder with `tests` and `remotes`, by draft."""
    package = "libtest-json-schema-acceptance-perl"  # carries it; its programs are not used
    suite = folder / package / "usr/share/perl5/auto/share/dist/Test-JSON-Schema-Acceptance"
    if not suite.exists():
        print(f"Fetching {package}", flush=True)
        _unpack(package, folder, libraries=False)
    return suite if suite.exists() else None


def _server(
    package: str, command: str, question: tuple[str, ...], folder: Path, *, wanted: int = 0
) -> Path | None:
    """The program of this machine, or that of the package unpacked into a folder.

    Not installed, as an installed server runs from then on, and at each boot.
    """
    found = shutil.which(command, path=os.pathsep.join((os.environ["PATH"], "/usr/sbin", "/sbin")))
    program = folder / package / "usr" / "sbin" / command
    if found is None and not program.exists():
        print(f"Fetching {package}", flush=True)
        _unpack(package, folder)
    found = found or str(program)
    works = Path(found).exists() and _succeeds((found, *question), wanted=wanted)
    return Path(found) if works else None


def _unpack(package: str, folder: Path, *, libraries: bool = True) -> None:
    """Fetch a package, unpack it, and install its libraries, if dpkg and apt are here."""
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        return
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as name:
        fresh = Path(name)
        fresh.chmod(0o755)  # the server may run as another user
        if not _succeeds(("apt-get", "download", "-q", package), fresh):
            _apt("update", "-q")
            _succeeds(("apt-get", "download", "-q", package), fresh)
        for each in fresh.glob("*.deb"):
            if libraries:
                _install_libraries(each)
            if _succeeds(("dpkg-deb", "-x", str(each), "whole"), fresh):
                (fresh / "whole").chmod(0o755)
                shutil.rmtree(folder / package, ignore_errors=True)
                (fresh / "whole").rename(folder / package)


def _install_libraries(package: Path) -> None:
    needs = subprocess.run(
        ("dpkg-deb", "-f", str(package), "Depends"), capture_output=True, text=True, check=True
    ).stdout
    _apt("install", "-y", "-q", "--no-install-recommends", *_LIBRARY.findall(needs))


def _apt(*step: str) -> bool:
    prefix = privileges()
    if prefix is None or not shutil.which("apt-get"):
        return False
    return _succeeds((*prefix, "apt-get", *step))


def _succeeds(command: tuple[str, ...], folder: Path | None = None, *, wanted: int = 0) -> bool:
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(
        command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, env=quiet, check=False
    )
    return done.returncode == wanted


if __name__ == "__main__":
    skipped = "missing, its tests are skipped"
    for command, package in PACKAGES.items():
        print(f"{package}: {'installed' if ensure(command) else skipped}")
    print(f"openssh-server: {sshd() or skipped}")
    print(f"nginx: {nginx() or skipped}")
    print(f"test suite of JSON Schema: {json_schema_suite() or skipped}")
