"""docs/legacy.md does what it says: its files are written, its commands run, its output seen."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bus import Bus
from tests.e2e.test_guide_contracts import END, ROOT, shows

GUIDE = ROOT / "docs" / "legacy.md"
BLOCK = re.compile(r"^```(\w+) ?(\S*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
def environment(bus: Bus, tmp_path: Path) -> dict[str, str]:
    """Variables of a shell that has the command, an administrator and a publisher."""
    body = {"name": "kemenkes", "title": "Kementerian Kesehatan"}
    bus.admin.post("/v1/organisations", json=body)
    admin, publisher = bus.actor("kemenkes", "admin"), bus.actor("kemenkes", "publisher")
    command = tmp_path / "bin" / "nusabus"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m adapters.cli "$@"\n')
    command.chmod(0o755)
    return {
        "PATH": f"{command.parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "HOME": str(tmp_path),
        "NUSABUS_URL": str(bus.http.base_url).rstrip("/"),
        "NUSABUS_CLIENT_ID": admin.id,
        "NUSABUS_CLIENT_SECRET": admin.secret,
        "PUBLISHER_ID": publisher.id,
        "PUBLISHER_SECRET": publisher.secret,
    }


def commands(text: str) -> list[tuple[str, str]]:
    """The commands of console blocks, each with the output that it shows."""
    found: list[tuple[str, str]] = []
    for kind, _, body in BLOCK.findall(text):
        for part in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:] if kind == "console" else ():
            command, _, output = part.partition("\n")
            found.append((command, output))
    return found


@pytest.mark.skipif(
    not (shutil.which("base64") and shutil.which("bash")), reason="base64 and bash are needed"
)
def test_the_guide(environment: dict[str, str], tmp_path: Path) -> None:
    text = GUIDE.read_text()
    folder = tmp_path / "work"
    for _, name, body in BLOCK.findall(text):
        if name:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(body)
    expected = commands(text)
    assert len(expected) > 15
    script = "".join(f"{command}\necho '{END}'\n" for command, _ in expected)
    done = subprocess.run(
        ["bash"],
        input=script,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=110,
        check=True,
    )
    *outputs, rest = done.stdout.split(f"{END}\n")
    assert rest == ""
    for (command, wanted), output in zip(expected, outputs, strict=True):
        assert shows(wanted, output), f"$ {command}\n{output}\n--- the guide shows\n{wanted}"
