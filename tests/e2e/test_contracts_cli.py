"""The `nusabus` command against a gateway: the order of work of an administrator."""

import io
import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from adapters.cli.app import run
from adapters.cli.exits import Exit
from gateway.contracts.schema_limits import DIALECT
from tests.builders import a_document, write_contract
from tests.bus import Actor, Bus
from tests.problems import problem_of

SCHEMA: dict[str, Any] = {
    "$schema": DIALECT,
    "type": "object",
    "additionalProperties": False,
    "required": ["nomor"],
    "properties": {"nomor": {"type": "string", "maxLength": 9}, "dosis": {"enum": [1, 2]}},
}
WIDER = {**SCHEMA, "properties": {**SCHEMA["properties"], "dosis": {"enum": [1, 2, 3]}}}
NARROWER = {**SCHEMA, "required": ["nomor", "dosis"]}
INVALID = {"reason": "too long", "keyword": "maxLength", "pointer": "/nomor"}
EXAMPLES = {
    "examples/valid/empty": {"nomor": "N-1", "dosis": 1},
    "examples/invalid/array": {**INVALID, "data": {"nomor": "N-12345678"}},
}


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed for programs."""
        return json.loads(self.out)


Command = Callable[..., Done]


@pytest.fixture
def nusabus(
    bus: Bus, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """Runs `nusabus contracts ...` as an administrator of `uji`, or as somebody else."""
    admin = bus.actor("uji", "admin")

    def command(*arguments: object, by: Actor = admin) -> Done:
        monkeypatch.setenv("NUSABUS_URL", str(bus.http.base_url))
        monkeypatch.setenv("NUSABUS_CLIENT_ID", by.id)
        monkeypatch.setenv("NUSABUS_CLIENT_SECRET", by.secret)
        monkeypatch.setenv("COLUMNS", "200")
        code = run(["contracts", *map(str, arguments)])
        captured = capsys.readouterr()
        return Done(code, captured.out, captured.err)

    return command


def a_type(word: str) -> str:
    """A type that only one test uses."""
    return f"id.go.uji.{word}.diberikan.v1"


def kinds(planned: Done) -> list[str]:
    return [each["kind"] for each in planned.json["contracts"]]


def test_the_order_of_work(bus: Bus, nusabus: Command, tmp_path: Path) -> None:
    type = a_type("vaksin")
    place = write_contract(tmp_path, type, **{"versions/1": SCHEMA, **EXAMPLES})

    planned = nusabus("plan", tmp_path, "--check")
    assert (planned.code, type in planned.out) == (Exit.CHANGES, True)
    assert "Repeat with --yes" in nusabus("apply", tmp_path).err
    assert nusabus("apply", tmp_path, "--yes").code == Exit.OK
    again = nusabus("plan", tmp_path, "--check")
    assert (again.code, again.out) == (Exit.OK, "Plan: 1 same.\n")

    publisher = bus.actor("uji")
    publisher.published(type=type, data={"nomor": "N-1"})
    refused = publisher.publish(a_document(type=type, data={"nomor": 1}))
    problem_of(refused, 422, "contract-violation")

    (place / "versions/2.json").write_text(json.dumps(WIDER))
    wider = nusabus("plan", tmp_path, "--check")
    assert wider.code == Exit.CHANGES
    assert "+ /properties/dosis/enum: 3" in wider.out
    assert "compatible (backward, strict)" in wider.out
    assert nusabus("apply", tmp_path, "--yes").code == Exit.OK
    publisher.published(type=type, data={"nomor": "N-1", "dosis": 3})

    (place / "versions/3.json").write_text(json.dumps(NARROWER))
    narrower = nusabus("plan", tmp_path, "--check")
    assert narrower.code == Exit.BREAKING
    assert "incompatible with version 2" in narrower.out
    assert "for example {" in narrower.out
    assert nusabus("apply", tmp_path, "--yes").code == Exit.BREAKING
    assert "version 3" not in nusabus("show", type).out

    sunset = ("--sunset", "2030-01-01T00:00:00Z")
    assert nusabus("deprecate", type, *sunset).out == f"{type}: 1 deprecated, 2 deprecated\n"
    answer = publisher.publish(a_document(type=type, data={"nomor": "N-1"}))
    assert answer.headers["sunset"] == "Tue, 01 Jan 2030 00:00:00 GMT"


def test_a_breaking_version_waits_for_another_administrator(
    bus: Bus, nusabus: Command, tmp_path: Path
) -> None:
    type = a_type("obat")
    place = write_contract(tmp_path, type, **{"versions/1": SCHEMA, **EXAMPLES})
    assert nusabus("apply", tmp_path, "-y").code == Exit.OK
    (place / "versions/2.json").write_text(json.dumps(NARROWER))
    applied = nusabus("apply", tmp_path, "-y", "--breaking", "--json")
    assert applied.code == Exit.OK
    assert [each["state"] for each in applied.json["applied"]] == ["draft"]
    mine = nusabus("approve", type, 2)
    assert (mine.code, "Another administrator" in mine.err) == (Exit.ERROR, True)
    other = bus.actor("uji", "admin", "auditor")
    assert nusabus("approve", type, 2, by=other).out == f"{type}: 1 active, 2 active\n"


def test_what_is_registered_under_a_number_stays(nusabus: Command, tmp_path: Path) -> None:
    place = write_contract(tmp_path, a_type("alat"), **{"versions/1": SCHEMA, **EXAMPLES})
    nusabus("apply", tmp_path, "-y")
    (place / "versions/1.json").write_text(json.dumps(WIDER))
    planned = nusabus("plan", tmp_path, "--check", "--json")
    assert (planned.code, kinds(planned)) == (Exit.BREAKING, ["refused"])
    [step] = planned.json["contracts"][0]["steps"]
    assert step["reason"].endswith("add the change as version 2")
    assert nusabus("apply", tmp_path, "-y").code == Exit.BREAKING


def test_facts_are_changed(nusabus: Command, tmp_path: Path) -> None:
    type = a_type("kamar")
    write_contract(tmp_path, type, **{"versions/1": SCHEMA, **EXAMPLES})
    nusabus("apply", tmp_path, "-y")
    about = {"title": "Room", "compatibility": {"mode": "full", "policy": "strict"}}
    write_contract(tmp_path, type, contract=about, **{"versions/1": SCHEMA, **EXAMPLES})
    planned = nusabus("plan", tmp_path)
    assert '~ /title: "Uji" -> "Room"' in planned.out
    assert nusabus("apply", tmp_path, "-y").code == Exit.OK
    assert nusabus("show", type, "--json").json["compatibility"]["mode"] == "full"
    assert nusabus("plan", tmp_path, "--check").code == Exit.OK


def test_several_versions_at_once(nusabus: Command, tmp_path: Path) -> None:
    type = a_type("dokter")
    valid = {"examples/valid/third": {"nomor": "N-1", "dosis": 3}, **EXAMPLES}
    versions = {"versions/1": SCHEMA, "versions/2": WIDER}
    write_contract(tmp_path, type, **versions, **valid)
    applied = nusabus("apply", tmp_path, "-y")
    assert (applied.code, applied.err) == (Exit.OK, "")
    states = nusabus("show", type, "--json").json["versions"]
    assert states == [{"version": 1, "state": "active"}, {"version": 2, "state": "active"}]


def test_a_schema_that_needs_another_is_registered_after_it(
    nusabus: Command, tmp_path: Path
) -> None:
    part, whole = a_type("zat"), a_type("adonan")
    write_contract(tmp_path, part, **{"versions/1": SCHEMA, **EXAMPLES})
    reference = {"$schema": DIALECT, "$ref": f"urn:nusabus:contract:{part}:1"}
    write_contract(tmp_path, whole, **{"versions/1": reference, **EXAMPLES})
    assert nusabus("apply", tmp_path, "-y").code == Exit.OK
    assert nusabus("plan", tmp_path, "--check").code == Exit.OK


def test_what_is_pulled_is_what_was_applied(nusabus: Command, tmp_path: Path) -> None:
    type = a_type("apotek")
    place = write_contract(tmp_path / "a", type, **{"versions/1": SCHEMA, **EXAMPLES})
    text = (place / "versions/1.json").read_bytes() + b"\n"
    (place / "versions/1.json").write_bytes(text)
    nusabus("apply", tmp_path / "a", "-y")
    nusabus("pull", tmp_path / "b", "--owner", "uji")
    assert (tmp_path / "b/uji" / type / "versions/1.json").read_bytes() == text
    pulled = nusabus("pull", tmp_path / "b", "--owner", "uji", "--json").json
    assert pulled["written"] == []
    assert nusabus("plan", tmp_path / "b", "--check").code == Exit.OK


def test_files_that_a_schema_refers_to(nusabus: Command, tmp_path: Path) -> None:
    type, number = a_type("berkas"), {"type": "string", "maxLength": 9}
    parts = {**SCHEMA, "properties": {"nomor": {"$ref": "a/n.json"}, "dosis": {"enum": [1]}}}
    files = {"versions/1": parts, "versions/1/a/n": {"$ref": "../m.json"}, "versions/1/m": number}
    place = write_contract(tmp_path / "all", type, **files, **EXAMPLES)
    assert nusabus("apply", tmp_path / "all", "--yes").code == Exit.OK
    assert nusabus("plan", tmp_path / "all", "--check").out == "Plan: 1 same.\n"
    (tmp_path / "old.json").write_text(json.dumps({"id": "http://h/a", "$ref": "n.json"}))
    made = nusabus("convert", tmp_path / "old.json", place / "versions/1/a", "--dialect=draft-04")
    assert (made.code, "has no target" in made.err or "is fetched" in made.err) == (1, True)
    shutil.copytree(place / "versions/1", tmp_path / "x")
    (tmp_path / "old.json").write_text(json.dumps({"id": "x/a.json", "items": {"$ref": "m.json"}}))
    made = nusabus("convert", tmp_path / "old.json", tmp_path / "x", "--dialect=draft-04")
    assert made.json["definitions"] == {"m.json": number}
    assert "Draft 7, was draft 4" in made.err


def test_queries_and_checks(nusabus: Command, tmp_path: Path) -> None:
    type = a_type("resep")
    place = write_contract(tmp_path, type, **{"versions/1": SCHEMA, **EXAMPLES})
    nusabus("apply", tmp_path, "-y")
    good = place / "examples/valid/empty.json"
    assert nusabus("validate", type, good).code == Exit.OK
    event = tmp_path / "event.json"
    event.write_text(json.dumps(a_document(type=type, data={"nomor": 1})))
    bad = nusabus("validate", type, event)
    assert (bad.code, "/nomor 1 is not of type" in bad.out) == (Exit.CHANGES, True)
    assert nusabus("validate", a_type("lain"), event).code == Exit.ERROR

    shown = nusabus("validate", type, event, "--json").json
    assert (shown["valid"], shown["closed"], shown["violations"][0]["pointer"]) == (
        False, False, "/nomor",
    )  # fmt: skip

    (tmp_path / "new.json").write_text(json.dumps(WIDER))
    assert nusabus("diff", type, 1, tmp_path / "new.json", "--check").code == Exit.CHANGES
    assert nusabus("diff", type).out == "No difference.\n"
    assert type in nusabus("list", "--owner", "uji").out
    for view in ("schema", "pydantic", "typescript", "example", "asyncapi"):
        assert nusabus("show", type, "--as", view).code == Exit.OK

    found = nusabus("lint", tmp_path, "--json").json["contracts"]
    rules = {finding["rule"] for finding in found[0]["findings"]}
    assert {"title", "description"} <= rules
    assert nusabus("lint", type, "--fail-on", "warning").code == Exit.CHANGES
    pending = nusabus("retire", type)
    assert (pending.code, "would be retired" in pending.out) == (Exit.ERROR, True)
    assert nusabus("retire", type, "--yes").code == Exit.OK
    assert "1: retired" in nusabus("show", type).out


class Terminal(io.StringIO):
    """A person who types."""

    def isatty(self) -> bool:
        return True


def test_a_person_is_asked(
    nusabus: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_contract(tmp_path, a_type("suntik"), **{"versions/1": SCHEMA, **EXAMPLES})
    monkeypatch.setattr(sys, "stdin", Terminal("n\n"))
    assert nusabus("apply", tmp_path).code == Exit.ERROR
    assert nusabus("plan", tmp_path, "--check").code == Exit.CHANGES
    monkeypatch.setattr(sys, "stdin", Terminal("y\n"))
    assert nusabus("apply", tmp_path).code == Exit.OK


def test_examples_that_do_not_fit_are_told_before(nusabus: Command, tmp_path: Path) -> None:
    type = a_type("jarum")
    wrong = {**EXAMPLES, "examples/valid/second": {"nomor": 1}}
    place = write_contract(tmp_path, type, **{"versions/1": SCHEMA, **wrong})
    planned = nusabus("plan", tmp_path)
    assert "refused version 1" in planned.out
    assert "the valid example second is invalid" in planned.out
    (place / "examples/valid/second.json").unlink()
    assert nusabus("apply", tmp_path, "-y").code == Exit.OK
    (place / "versions/2.json").write_text(json.dumps({**SCHEMA, "required": ["lain"]}))
    planned = nusabus("plan", tmp_path)
    assert "incompatible with version 1" in planned.out
    assert "the valid example empty is invalid" in planned.out


def test_a_gateway_that_is_away(
    nusabus: Command, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    nusabus("list")
    monkeypatch.setenv("NUSABUS_URL", "http://127.0.0.1:9")
    assert run(["contracts", "list"]) == Exit.ERROR
    assert "Cannot reach the gateway" in capsys.readouterr().err


def test_errors_are_told(bus: Bus, nusabus: Command, tmp_path: Path) -> None:
    assert nusabus("plan", tmp_path / "none").code == Exit.ERROR
    assert nusabus("plan", "--nonsense").code == Exit.ERROR
    stranger = bus.actor("lain", "admin")
    write_contract(tmp_path, a_type("rahasia"), **{"versions/1": SCHEMA, **EXAMPLES})
    refused = nusabus("apply", tmp_path, "-y", by=stranger)
    assert (refused.code, "403 forbidden" in refused.err) == (Exit.ERROR, True)
    assert "not a time with a zone" in nusabus("deprecate", "x", "--sunset", "2030-01-01").err
    shown = nusabus("show", a_type("hilang"), "--json")
    assert (shown.code, shown.json["error"]["status"]) == (Exit.ERROR, 404)
