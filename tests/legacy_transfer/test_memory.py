"""Files of any size in flat memory."""

import json
import subprocess
import sys
from pathlib import Path

from deploy.local.gateway import ROOT

MEGABYTE = 1_000_000


def work(folder: Path, megabytes: int) -> dict[str, float]:
    """What `memory` measures, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.legacy_transfer.memory", str(folder), str(megabytes)],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_four_times_the_file_takes_no_more_memory(tmp_path: Path) -> None:
    one, four = work(tmp_path / "one", 30), work(tmp_path / "four", 120)
    assert (four["records"], four["published"], four["rejected"]) == (120_000, 119_989, 11)
    assert one["events"] == one["published"] == 29_998
    grown = four["peak"] - one["peak"]
    assert grown < 40 * MEGABYTE, f"{grown / MEGABYTE:.0f} MB more for a file 90 MB longer"
