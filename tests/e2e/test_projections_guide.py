"""The guide to projections does what it says, on a bus with the contracts of the demo."""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from deploy.local.postgres import Postgres
from tests.bus import Bus, MakeBus
from tests.guides import ROOT, bus_of, follow
from tests.servers import as_owner, fresh_database

pytestmark = pytest.mark.skipif(not shutil.which("bash"), reason="bash is needed")


@pytest.fixture
def bus(make_bus: MakeBus, tmp_path: Path) -> Iterator[Bus]:
    with bus_of("dukcapil", make_bus, tmp_path, "api") as bus:
        yield bus


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Where the guide is followed; its programs end with the test, also if it fails halfway."""
    yield tmp_path
    for process in psutil.process_iter(["cwd"]):
        if process.info["cwd"] == str(tmp_path / "work"):
            process.kill()


def test_the_guide(bus: Bus, postgres: Postgres, folder: Path) -> None:
    client = bus.actor("dukcapil")
    programs = (folder / "bin", Path(sys.executable).parent, os.environ["PATH"])
    commands = follow(
        ROOT / "docs/projections.md",
        bus,
        folder,
        NUSABUS_CLIENT_ID=client.id,
        NUSABUS_CLIENT_SECRET=client.secret,
        DATABASE_URL=as_owner(fresh_database(postgres)),
        PATH=":".join(map(str, programs)),
    )
    assert commands == 21
