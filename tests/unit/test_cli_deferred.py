"""Commands are imported when they are called, and listed without."""

import subprocess
import sys
from pathlib import Path

import pytest

from adapters.cli import app, legacy
from adapters.cli.deferred import Deferred, load

COMMANDS = {**app.COMMANDS, **legacy.COMMANDS}
SLOW = {"httpx", "rich", "sqlite3", "structlog", "asyncio", "prometheus_client", "aio_pika"}


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_says_of_a_command_what_the_command_says(name: str) -> None:
    deferred: Deferred = COMMANDS[name]
    command = load(name, deferred)
    assert command.name == name
    assert command.help.split("\n\n")[0].replace("\n", " ") == deferred.help


def test_no_command_is_missing_in_the_list() -> None:
    modules = {each.module: load(name, each) for name, each in COMMANDS.items() if not each.group}
    for module in modules:
        names = {name for name, each in COMMANDS.items() if each.module == module}
        registered = sys.modules[module].app.registered_commands
        assert {each.callback.__name__ for each in registered} == names


def test_a_conversion_imports_nothing_that_it_does_not_need(tmp_path: Path) -> None:
    (tmp_path / "r.cpy").write_text("01 R. 05 A PIC X(3).\n")
    (tmp_path / "r.dat").write_bytes(b"abcdef")
    line = ["legacy", "decode", "r.dat", "--copybook", "r.cpy", "--form", "free", "--framing",
            "fixed", "--length", "3", "--code-page", "ascii"]  # fmt: skip
    program = f"import sys; from adapters.cli.app import run; assert not run({line}); "
    done = subprocess.run(
        [sys.executable, "-c", program + "print(*sys.modules, file=sys.stderr)"],
        cwd=tmp_path, env={"PYTHONPATH": str(Path.cwd())}, capture_output=True, check=True,
    )  # fmt: skip
    assert done.stdout == b'{"a":"abc"}\n{"a":"def"}\n'
    assert not SLOW & set(done.stderr.decode().split())
