"""`nusabus contracts plan` says what `apply` will do, and shows what the caller may change."""

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.contracts.schema_limits import DIALECT
from tests.builders import write_contract
from tests.bus import Actor, Bus
from tests.e2e.conftest import Command

MONEY = {"$schema": DIALECT, "type": "object", "properties": {"harga": {"type": "number"}}}
RATIO = {"$schema": DIALECT, "type": "object", "properties": {"harga": {
    "type": "number", "x-unit": "IDR"}}}  # fmt: skip


@pytest.fixture
def uji(bus: Bus) -> Actor:
    """The client of the command administers its contracts."""
    return bus.actor("uji", "admin")


def planned(nusabus: Command, folder: Path) -> dict[str, tuple[str, str]]:
    """The kind of each contract, and why its first step is refused."""
    _, out, _ = nusabus("contracts", "plan", folder, "--json")
    steps: dict[str, Any] = {each["type"]: each for each in json.loads(out)["contracts"]}
    return {
        type: (each["kind"], each["steps"][0].get("reason", "") if each["steps"] else "")
        for type, each in steps.items()
    }


def test_what_apply_would_refuse_is_refused(nusabus: Command, tmp_path: Path) -> None:
    types = [f"id.go.uji.{word}.direncana.v1" for word in ("uang", "kosong", "rasio", "acu")]
    money, empty, ratio, refers = types
    none = {"examples/valid/empty": None, "examples/invalid/array": None}
    write_contract(tmp_path, money, **{"versions/1": MONEY})
    write_contract(tmp_path, empty, **none)
    write_contract(tmp_path, ratio, **{"versions/1": RATIO})
    schema = {"$schema": DIALECT, "type": "object", "properties": {
        "a": {"$ref": f"urn:nusabus:contract:{ratio}:1"}}}  # fmt: skip
    write_contract(tmp_path, refers, **{"versions/1": schema})
    found = planned(nusabus, tmp_path)
    assert {type: kind for type, (kind, _) in found.items()} == {
        money: "refused", empty: "refused", ratio: "new", refers: "new"
    }  # fmt: skip
    assert "is money of type number" in found[money][1]
    assert "at least one valid and one invalid example" in found[empty][1]
    assert nusabus("contracts", "apply", tmp_path, "--yes")[0] == 3
    assert {each: planned(nusabus, tmp_path)[each][0] for each in (ratio, refers)} == {
        ratio: "same", refers: "same"
    }  # fmt: skip

    place = tmp_path / "uji" / ratio
    (place / "versions" / "2.json").write_text(json.dumps(MONEY))
    assert "lint found 1 error" in planned(nusabus, tmp_path)[ratio][1]
    for each in (*(place / "examples/valid").iterdir(), *(place / "examples/invalid").iterdir()):
        each.unlink()
    (place / "versions" / "2.json").write_text(json.dumps({**RATIO, "title": "Rasio"}))
    assert "at least one valid" in planned(nusabus, tmp_path)[ratio][1]


def test_contracts_of_others_are_left_out(bus: Bus, nusabus: Command, tmp_path: Path) -> None:
    mine, theirs = "id.go.uji.milik.direncana.v1", "id.go.lain.milik.direncana.v1"
    bus.actor("lain", "admin")
    write_contract(tmp_path, mine)
    write_contract(tmp_path, theirs)
    assert planned(nusabus, tmp_path) == {mine: ("new", "")}
    assert "Left out: 1 of" in nusabus("contracts", "plan", tmp_path)[2]
