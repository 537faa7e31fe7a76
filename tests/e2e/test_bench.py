"""The bench runs: it starts everything, offers events, and counts what arrived."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.local.gateway import ROOT

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]


def test_the_bench_compares(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    parts = ("single", "careful")
    command = [sys.executable, "-m", "bench", "--quick", *parts, "--output", str(file)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    values = {each["key"]: each["value"] for each in json.loads(file.read_text())}
    assert values["single_vs_handrolled"] > 0
    assert values["batch_vs_careful"] > 0
