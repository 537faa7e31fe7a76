"""docs/legacy.md does what it says: its files are written, its commands run, its output seen."""

import shutil
from pathlib import Path

import pytest

from tests.bus import Bus
from tests.guides import ROOT, follow


@pytest.mark.skipif(
    not (shutil.which("base64") and shutil.which("bash")), reason="base64 and bash are needed"
)
def test_the_guide(bus: Bus, tmp_path: Path) -> None:
    assert follow(ROOT / "docs" / "legacy.md", bus, tmp_path) > 15
