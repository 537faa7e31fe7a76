"""The commands of projections: what they print, and one line for what is refused."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pytest
from typer.testing import CliRunner

from consumers.projection.__main__ import app
from consumers.projection.definition import Connection
from consumers.projection.store import create_tables, provide_build
from deploy.local.postgres import Postgres
from tests.integration.projections.counting import Counting
from tests.servers import as_owner, fresh_database

CLASS = f"{Counting.__module__}:Counting"


class Commands:
    """Commands on a database, and looks at it."""

    def __init__(self, url: str) -> None:
        self.url = url

    def work(self, work: Callable[[Connection], Awaitable[Any]]) -> Any:
        """Do something over a connection."""

        async def run() -> Any:
            connection = await asyncpg.connect(self.url)
            try:
                return await work(connection)
            finally:
                await connection.close()

        return asyncio.run(run())

    def __call__(self, *words: str, code: int = 0) -> str:
        done = CliRunner().invoke(app, words, env={"DATABASE_URL": self.url})
        assert done.exit_code == code, done.output
        return done.output


@pytest.fixture
def commands(postgres: Postgres) -> Commands:
    return Commands(as_owner(fresh_database(postgres)))


async def a_build(connection: Connection) -> None:
    await create_tables(connection)
    await provide_build(connection, Counting)


def test_what_is_not_there(commands: Commands) -> None:
    assert commands("status", "counting", code=1) == (
        "There is no projection counting in this database.\n"
    )
    assert commands("compare", "counting", "2", code=1) == (
        "Projection counting has no build 2. See status.\n"
    )
    for path in ("nowhere:Counting", "counting", CLASS.replace("Counting", "TABLES")):
        assert path in commands("rebuild", path, code=1)


def test_a_replacement(commands: Commands) -> None:
    commands.work(a_build)
    assert commands("rebuild", CLASS) == "build 2\n"
    assert commands("drop", "counting", "1", code=1) == (
        "Build 1 is active. Switch to another one first.\n"
    )
    assert commands("compare", "counting", "2").startswith("counts  equal  0 rows, 0 rows  ")
    assert "build 2  version 1  0 events  not running  0 behind the active one  equal\n" in (
        commands("status", "counting")
    )
    assert commands("switch", "counting", "2") == "build 2 is active\n"
    assert commands("drop", "counting", "1") == "build 1 dropped\n"
    assert commands("drop", "counting", "1") == "there is no build 1\n"
    assert commands("status", "counting") == (
        "build 2  version 1  0 events  not running  ACTIVE\nlive effects: 0 due, 0 failed\n"
    )


def test_parked_events_and_failed_effects(commands: Commands) -> None:
    commands.work(a_build)
    commands.work(
        lambda c: c.execute(
            "INSERT INTO projections.parked_events (projection, build, key, source, id, event, "
            "reason) VALUES ('counting', 1, $1, '/uji', '7', $2, 'LookupError at ktp.py:1')",
            "/uji\na",
            '{"specversion": "1.0", "id": "7", "source": "/uji", "type": "a", "subject": "a"}',
        )
    )
    commands.work(
        lambda c: c.execute(
            "INSERT INTO projections.live_effects (projection, source, id, handler, key, failed) "
            "VALUES ('counting', '/uji', '7', 'send', 'a', 'away')"
        )
    )
    shown = commands("status", "counting")
    assert "  parked: /uji a  1 events  LookupError at ktp.py:1\n" in shown
    assert "live effects: 0 due, 1 failed\n" in shown
    assert commands("retry-effects", "counting") == "1 effects due\n"
    discarded = commands("discard", "counting", "1", "/uji", "a", "--reason", "an error")
    assert discarded == "discarded: /uji 7\n"
    assert commands("discard", "counting", "1", "/uji", "a", "--reason", "an error") == (
        "nothing is parked\n"
    )
    assert commands("retry", CLASS, "1", "/uji", "a") == "0 events applied\n"


def test_a_build_that_is_not_level(commands: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consumers.projection.switching.POLL", 0.01)
    monkeypatch.setattr("consumers.projection.__main__.PATIENCE", 0.1)
    commands.work(a_build)
    commands("rebuild", CLASS)
    commands.work(
        lambda c: c.execute("UPDATE projections.builds SET applied = '{\"0\": 7}' WHERE build = 1")
    )
    assert "Build 2 is not level with the active one after 0.1 s." in (
        commands("compare", "counting", "2", code=1)
    )
    commands.work(lambda c: c.execute("UPDATE projections.builds SET diverged = 'lost.'"))
    assert "has diverged. Drop it, and rebuild." in commands("switch", "counting", "2", code=1)
