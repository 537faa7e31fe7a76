"""A fork of the fork server is what the program itself would be."""

import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

import psutil
import pytest

from deploy.local.processes import Running, Spawn
from deploy.local.processes import spawn as spawn_program
from tests import forked
from tests.defective import defective
from tests.waiting import eventually

SERVER = ("http.server", "--bind", "127.0.0.1", "0")


def started(spawn: Spawn, folder: Path, *line: str, **environ: str) -> Running:
    command = (sys.executable, "-m", *line)
    usual: Mapping[str, str] = forked._environ()
    log = folder / "log"
    log.unlink(missing_ok=True)
    return spawn(command, folder=folder, environ={**usual, **environ}, log=log)


def test_it_says_and_ends_as_the_program_does(tmp_path: Path) -> None:
    ended = []
    for spawn in (spawn_program, forked.spawn):
        process = started(spawn, tmp_path, "gateway", "api", NUSABUS_SHARDS="x")
        ended.append((process.wait(), (tmp_path / "log").read_text()))
    assert ended[0] == ended[1]
    assert "NUSABUS_SHARDS" in ended[0][1]


def test_it_has_a_session_a_folder_and_an_environment_of_its_own(tmp_path: Path) -> None:
    process = started(forked.spawn, tmp_path, *SERVER, ONLY_HERE="yes")
    try:
        eventually(lambda: "Serving" in (tmp_path / "log").read_text())
        found = psutil.Process(process.pid)
        assert os.getsid(process.pid) == process.pid != os.getsid(0)
        assert found.cwd() == str(tmp_path)
        assert {each.path for each in found.open_files()} == {str(tmp_path / "log")}
        assert process.poll() is None
    finally:
        process.kill()
    assert process.wait() == -signal.SIGKILL == process.poll()
    process.send_signal(signal.SIGTERM)  # to nobody
    assert not psutil.pid_exists(process.pid)


def test_it_ends_with_the_fork_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a program ends with who has started it."""
    monkeypatch.setattr(forked, "_fork_server", forked._fork_server.__wrapped__)
    process = started(forked.spawn, tmp_path, *SERVER)
    eventually(lambda: "Serving" in (tmp_path / "log").read_text())
    found = psutil.Process(process.pid)
    server = found.parent()
    assert server is not None
    server.kill()
    eventually(lambda: not found.is_running())
    assert process.wait() == -signal.SIGTERM


def test_a_program_with_a_defect_is_started_as_it_is(tmp_path: Path) -> None:
    code = "import sys; print('put in', file=sys.stderr)"
    environ = defective(tmp_path / "code", code)
    process = started(forked.spawn, tmp_path, "gateway", "--help", **environ)
    assert process.wait() == 0
    assert "put in" in (tmp_path / "log").read_text()
