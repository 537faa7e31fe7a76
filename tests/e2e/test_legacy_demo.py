"""The batch files of `make run`: what comes in, what is rejected and why, what goes back out."""

import asyncio
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
from rich.console import Console

from adapters.cli.app import run
from deploy.local import demo_legacy, demo_retention
from deploy.local.credentials import Credentials
from deploy.local.demo_accounts import SCHEMAS
from deploy.local.gateway import carry_out
from deploy.local.postgres import Postgres
from deploy.local.rabbitmq import RabbitMQ
from tests.bus import Bus
from tests.e2e.buses import catalogued
from tests.servers import as_superuser

COUNTS = "SELECT type, count(*) FROM journal_entries GROUP BY type ORDER BY type"


@pytest.fixture(scope="module")
def bus(
    postgres: Postgres, rabbitmq: RabbitMQ, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Bus]:
    """A Nusabus with the contracts of schemas/."""
    folder = tmp_path_factory.mktemp("legacy-demo") / "gateway"
    with catalogued(postgres, rabbitmq, folder) as bus:
        yield bus.run("api", "relay")


@pytest.fixture(scope="module")
def home(bus: Bus) -> Path:
    """The folder of all runs: each has files with the next serial."""
    return bus.folder / "home"


def play(bus: Bus, folder: Path) -> str:
    """One run; what it printed."""
    console = Console(file=io.StringIO(), width=120)
    operator = Credentials(bus.admin.id, bus.admin.secret)
    folder.mkdir(exist_ok=True)
    assert asyncio.run(demo_legacy.run(str(bus.http.base_url), operator, folder, console))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def faults(folder: Path) -> list[tuple[str, str]]:
    (report, *_) = sorted((folder / "rejects").glob("*.report.jsonl"))
    lines = [json.loads(line) for line in report.read_text().splitlines()]
    return [(line["faults"][0]["field"], line["faults"][0]["code"]) for line in lines]


def test_the_demo_of_the_feeds(bus: Bus, home: Path) -> None:
    feeds = home / "feeds"
    before = files(feeds)
    printed = play(bus, home)
    assert "PARTIAL" in printed
    assert "record 18: NIK invalid-digit" in printed
    assert "contract-violation" in printed
    assert faults(feeds / "dukcapil-malam") == [
        ("NIK", "invalid-digit"), ("RETRIBUSI", "invalid-sign"),
    ]  # fmt: skip
    assert faults(feeds / "pajak-setoran") == [
        ("JUMLAH-SETOR", "invalid-digit"), ("kode_billing", "gateway:contract-violation"),
    ]  # fmt: skip
    issued, _ = sorted(files(feeds) - before, key=lambda file: file.parent.name, reverse=True)
    lines = issued.read_bytes().splitlines()
    assert len(lines) == 200
    assert lines[-1].startswith(b"99000000198")
    play(bus, home)
    assert len(files(feeds) - before) == 4


def files(feeds: Path) -> set[Path]:
    """What was issued, and what acknowledges the nightly files."""
    return {*feeds.glob("bps-setoran/outgoing/*"), *feeds.glob("dukcapil-malam/acks/*")}


def test_retention_removes_what_nobody_is_owed(bus: Bus, home: Path, postgres: Postgres) -> None:
    play(bus, home)
    before = bus.query(COUNTS)

    async def retain(database: str) -> None:
        url = urlunsplit(urlsplit(postgres.retention_url)._replace(path=f"/{database}"))
        environ = bus.environ | {"NUSABUS_RETENTION_DATABASE_URL": url}
        await carry_out("retention", "--once", run=bus.folder, environ=environ)

    console = Console(file=io.StringIO(), width=120)
    operator = Credentials(bus.admin.id, bus.admin.secret)
    database = as_superuser(bus.database_url), retain
    url = str(bus.http.base_url)
    assert asyncio.run(demo_retention.run(url, operator, home, database, console))
    assert isinstance(console.file, io.StringIO)
    printed = console.file.getvalue()
    counts = dict(before)
    assert re.search(rf"penduduk.dimutakhirkan +{counts[demo_legacy.PENDUDUK]} +removed", printed)
    held = rf"setoran.diterima +{counts[demo_legacy.SETORAN]} +held: unread by pajak/rekap-setoran"
    assert re.search(held, printed)
    assert bus.query(COUNTS) == before, "it was the copy"
    assert not bus.query("SELECT FROM pg_database WHERE datname LIKE '%\\_later'")


@pytest.mark.parametrize("type", [demo_legacy.PENDUDUK, demo_legacy.SETORAN])
def test_the_schemas_are_those_of_the_copybooks(
    type: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = SCHEMAS / type.split(".")[2] / type
    version = folder / "versions" / "1"
    files: list[Any] = ["--layout", version / "layout.toml"]
    files += ["--annotations", version / "annotations.toml"]
    assert run(["legacy", "schema", *map(str, files)]) == 0
    assert capsys.readouterr().out == (folder / "versions" / "1.json").read_text()
