"""Guides do what they say: their files are written, their commands run, their output seen."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bus import Bus, MakeBus
from tests.guides import ROOT, follow

pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, ("base64", "bash", "curl"))), reason="base64, bash and curl needed"
)


@pytest.fixture
def bus(make_bus: MakeBus) -> Iterator[Bus]:
    """A bus of its own: a guide shows all that an organisation has."""
    with make_bus() as bus:
        yield bus.run("api", "relay")


@pytest.mark.parametrize(("guide", "commands"), [("contracts.md", 30), ("legacy.md", 15)])
def test_the_guide(guide: str, commands: int, bus: Bus, tmp_path: Path) -> None:
    assert follow(ROOT / "docs" / guide, bus, tmp_path) > commands
