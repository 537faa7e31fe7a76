"""Programs that only exist for Node, installed once under .run as package-lock.json has them."""

import fcntl
import hashlib
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
TOOLS = HERE.parents[1] / ".run" / "node-tools"
FILES = ("package.json", "package-lock.json", "parse.mjs", "receive.mjs", "spectral.yaml")

Node = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def tools() -> Path:
    """The folder where the packages are."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("node and npm are needed")
    digest = hashlib.sha256(b"".join((HERE / name).read_bytes() for name in FILES)).hexdigest()
    folder = TOOLS / digest[:16]
    TOOLS.mkdir(parents=True, exist_ok=True)
    with (TOOLS / "lock").open("w") as lock:  # other workers want the same
        fcntl.flock(lock, fcntl.LOCK_EX)
        _install(folder)
    return folder


def _install(folder: Path) -> None:
    if not (folder / "complete").exists():
        for old in TOOLS.glob("*/"):
            shutil.rmtree(old)
        folder.mkdir()
        for name in FILES:
            shutil.copy(HERE / name, folder)
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        subprocess.run(command, cwd=folder, check=True, timeout=110)
        (folder / "complete").touch()


@pytest.fixture(scope="session")
def node(tools: Path) -> Node:
    """Runs a program of Node in the folder of the tools; it has a minute."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["node", *arguments],
            cwd=tools,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run
