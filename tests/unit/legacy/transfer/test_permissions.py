"""Feeds hold personal data: what they create is for their own account, and a group by choice."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from adapters.legacy_cobol.transfer.folders import (
    ACKS,
    IN_FOLDERS,
    INCOMING,
    create_folders,
    locked,
    write,
)
from adapters.legacy_cobol.transfer.sqlite_store import Store


@pytest.fixture(autouse=True)
def _open_umask() -> object:
    before = os.umask(0)
    yield
    os.umask(before)


def _mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_what_a_feed_creates_is_private(tmp_path: Path) -> None:
    feed = tmp_path / "feed"
    create_folders(feed, IN_FOLDERS)
    write(feed / ACKS / "a.ack", [b"x"])
    store = Store(feed / "spool.db", "CREATE TABLE IF NOT EXISTS t (a)")
    with locked(feed), store.change():
        found = {each: _mode(each) for each in feed.rglob("*")}
    assert {feed / "spool.db", feed / "spool.db-wal", feed / ".lock"} <= found.keys()
    assert [p for p, mode in found.items() if mode != (0o700 if p.is_dir() else 0o600)] == []
    assert _mode(feed) == 0o700
    store.close()


def test_a_group_that_the_operator_lets_in_stays_in(tmp_path: Path) -> None:
    create_folders(tmp_path, IN_FOLDERS)
    (tmp_path / INCOMING).chmod(0o770)
    (tmp_path / ACKS).chmod(0o750)
    create_folders(tmp_path, IN_FOLDERS)
    assert [_mode(tmp_path / each) for each in (INCOMING, ACKS)] == [0o770, 0o750]
    write(tmp_path / INCOMING / "a", [b"x"])
    write(tmp_path / ACKS / "a", [b"x"])
    assert [_mode(tmp_path / each / "a") for each in (INCOMING, ACKS)] == [0o660, 0o640]


def test_what_the_command_saves_is_private(tmp_path: Path) -> None:
    made = "import sys, os; sys.argv = ['nusabus', '--version']\n"
    made += "from adapters.cli.app import main\n"
    made += "try: main()\nexcept SystemExit: open(sys.stdin.read(), 'w').close()"
    file = tmp_path / "saved"
    subprocess.run([sys.executable, "-c", made], input=str(file), text=True, check=True)
    assert _mode(file) == 0o600


def test_a_database_that_exists_keeps_its_tables(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "a.db")) as before:
        before.executescript("CREATE TABLE t (a); INSERT INTO t VALUES (1)")
    Store(tmp_path / "a.db", "CREATE TABLE IF NOT EXISTS t (a)").close()
    with closing(sqlite3.connect(tmp_path / "a.db")) as after:
        assert after.execute("SELECT a FROM t").fetchall() == [(1,)]
