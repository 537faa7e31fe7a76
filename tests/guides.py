"""Guides that are run: files are written as a page shows them, commands run, outputs compared.

A block ```kind path``` is a file, ```console``` holds commands behind `$ ` with what they print;
… in it stands for any text.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent

from tests.bus import Bus, MakeBus

ROOT = Path(__file__).resolve().parents[1]
_BLOCK = re.compile(r"^```(\w+) ?(\S*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_END = "end of a command of the guide"


@contextmanager
def bus_of(ministry: str, make_bus: MakeBus, folder: Path, *commands: str) -> Iterator[Bus]:
    """A bus with the contracts of a ministry of the demo, and these processes."""
    schemas = folder / "schemas"
    shutil.copytree(ROOT / "schemas" / ministry, schemas / ministry)
    with make_bus() as bus:
        bus.run(*commands).carry_out("contracts", str(schemas))
        yield bus


def shell(bus: Bus, folder: Path) -> dict[str, str]:
    """Variables of a shell that has the command, an administrator and a publisher."""
    body = {"name": "kemenkes", "title": "Kementerian Kesehatan"}
    bus.admin.post("/v1/organisations", json=body)
    admin, publisher = bus.actor("kemenkes", "admin"), bus.actor("kemenkes", "publisher")
    command = folder / "bin" / "nusabus"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m adapters.cli "$@"\n')
    command.chmod(0o755)
    return {
        "PATH": f"{command.parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "HOME": str(folder),
        "NUSABUS_URL": str(bus.http.base_url).rstrip("/"),
        "NUSABUS_CLIENT_ID": admin.id,
        "NUSABUS_CLIENT_SECRET": admin.secret,
        "PUBLISHER_ID": publisher.id,
        "PUBLISHER_SECRET": publisher.secret,
    }


def follow(guide: Path, bus: Bus, folder: Path, **environ: str) -> int:
    """Do what a guide says, in a folder; how many commands it had. Fails where it is not so.

    `environ` is added to the variables of the shell.
    """
    text = guide.read_text()
    for _, name, body in _BLOCK.findall(text):
        if name:
            file = folder / "work" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(body)
    expected = console(guide)
    script = "".join(f"{command}\necho '{_END}'\n" for command, _ in expected)
    variables = {**shell(bus, folder), **environ}
    done = subprocess.run(
        ["bash"], input=script, cwd=folder / "work", env=variables, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=110, check=True,
    )  # fmt: skip
    *outputs, rest = done.stdout.split(f"{_END}\n")
    assert rest == ""
    for (command, wanted), output in zip(expected, outputs, strict=True):
        assert _shows(wanted, output), f"$ {command}\n{output}\n--- the guide shows\n{wanted}"
    return len(expected)


def blocks(guide: Path, language: str) -> list[str]:
    """What a page shows in a language, to be written or run as it stands."""
    shown = re.findall(rf"^ *```{language}\n(.+?)^ *```", guide.read_text(), re.M | re.S)
    return [dedent(each) for each in shown]


def commands(guide: Path, start: str) -> list[str]:
    """The lines in its `sh` blocks that begin so, without their comments."""
    lines = [line for block in blocks(guide, "sh") for line in block.splitlines()]
    return [line.partition("  #")[0].strip() for line in lines if line.startswith(start)]


def console(guide: Path) -> list[tuple[str, str]]:
    """The commands of console blocks, each with the output that it shows."""
    found: list[tuple[str, str]] = []
    for kind, _, body in _BLOCK.findall(guide.read_text()):
        for part in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:] if kind == "console" else ():
            command, _, output = part.partition("\n")
            found.append((command, output))
    return found


def _shows(expected: str, output: str) -> bool:
    """Whether output is what the guide shows; … stands for any text."""
    pattern = ".*".join(re.escape(part) for part in expected.strip().split("…"))
    return re.fullmatch(pattern, output.strip(), re.DOTALL) is not None
