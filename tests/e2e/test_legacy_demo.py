"""The batch files of `make run`: what comes in, what is rejected and why, what goes back out."""

import asyncio
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from adapters.cli.app import run
from deploy.local import demo_legacy
from deploy.local.credentials import Credentials
from deploy.local.demo_accounts import SCHEMAS
from deploy.local.postgres import Postgres
from deploy.local.rabbitmq import RabbitMQ
from tests.bus import Bus
from tests.e2e.buses import catalogued


@pytest.fixture(scope="module")
def bus(
    postgres: Postgres, rabbitmq: RabbitMQ, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Bus]:
    """A Nusabus with the contracts of schemas/."""
    folder = tmp_path_factory.mktemp("legacy-demo") / "gateway"
    with catalogued(postgres, rabbitmq, folder) as bus:
        yield bus.run("api", "relay")


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


def test_the_demo_of_the_feeds(bus: Bus, tmp_path: Path) -> None:
    printed = play(bus, tmp_path / "run")
    feeds = tmp_path / "run" / "feeds"
    assert "PARTIAL" in printed
    assert "record 18: NIK invalid-digit" in printed
    assert "contract-violation" in printed
    assert faults(feeds / "dukcapil-malam") == [
        ("NIK", "invalid-digit"), ("RETRIBUSI", "invalid-sign"),
    ]  # fmt: skip
    assert faults(feeds / "pajak-setoran") == [
        ("JUMLAH-SETOR", "invalid-digit"), ("kode_billing", "gateway:contract-violation"),
    ]  # fmt: skip
    (issued,) = (feeds / "bps-setoran" / "outgoing").iterdir()
    lines = issued.read_bytes().splitlines()
    assert len(lines) == 200
    assert lines[-1].startswith(b"99000000198")
    play(bus, tmp_path / "run")
    assert len(list((feeds / "bps-setoran" / "outgoing").iterdir())) == 2
    assert len(list((feeds / "dukcapil-malam" / "acks").iterdir())) == 2


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
