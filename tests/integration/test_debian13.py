"""Debian 13 beside this machine's system: what it sees, and that nothing of it is left."""

import os
import subprocess
from pathlib import Path

import psutil
import pytest

from deploy.local.install import DEBIAN_13

ROOT = Path(__file__).resolve().parents[2]
FETCHED = Path("/var/lib/nusabus/debian13")

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not FETCHED.exists(),
    reason="Debian 13 has not been fetched: make debian13",
)


def on_debian_13(script: str, *options: str, folder: Path = ROOT) -> str:
    done = subprocess.run(
        [DEBIAN_13, *options, "sh", "-euc", script],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stdout + done.stderr


def test_a_command_runs_on_debian_13_and_leaves_nothing() -> None:
    mounts = Path("/proc/mounts").read_text()
    seen = on_debian_13("cut -d. -f1 /etc/debian_version; pwd; sleep 98765.4 >/dev/null 2>&1 &")
    assert seen.splitlines() == ["13", str(ROOT)]
    assert Path("/proc/mounts").read_text() == mounts
    left = [each.info["cmdline"] for each in psutil.process_iter(["cmdline"])]
    assert ["sleep", "98765.4"] not in left


def test_the_checkout_has_its_own_environment_there() -> None:
    own = on_debian_13("touch .run/of-debian13; ls .run/of-debian13")
    assert own == ".run/of-debian13\n"
    assert not (ROOT / ".run/of-debian13").exists()
    on_debian_13("rm .run/of-debian13")


def test_a_server_keeps_its_process(tmp_path: Path) -> None:
    with subprocess.Popen(
        [DEBIAN_13, "--server", "sh", "-c", "echo $$; cat /etc/debian_version; pwd"],
        cwd=tmp_path, stdout=subprocess.PIPE, text=True,
    ) as server:  # fmt: skip
        assert server.stdout is not None
        number, version, folder = server.stdout.read().splitlines()
    assert (int(number), version[:3], folder) == (server.pid, "13.", str(tmp_path))


def test_a_checkout_below_what_is_replaced_is_refused() -> None:
    assert on_debian_13("true", folder=Path("/usr/lib")) == (
        "Move the checkout: /usr, /etc and /var are Debian 13's here.\n"
    )
