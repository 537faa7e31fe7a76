"""The contract folders under schemas/ keep their promises.

Both validators must agree on every example: `jsonschema`, which explains, and `jsonschema_rs`
with its linear-time regex engine, which decides on the hot path.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from jsonschema import Draft202012Validator

from gateway.contracts.non_delivery import sample_reports

SCHEMAS = Path(__file__).resolve().parents[2] / "schemas"
CONTRACTS = sorted(path.parent for path in SCHEMAS.glob("*/*/contract.json"))
VERSIONS = sorted(SCHEMAS.glob("*/*/versions/*.json"))
EXAMPLES = sorted(SCHEMAS.glob("*/*/examples/**/*.json"))

PUBLISHED = (
    "bmkg.gempa.terdeteksi bps.statistik.diperbarui dukcapil.ktp.dibuat dukcapil.ktp.diverifikasi "
    "dukcapil.ktp.dicetak kemendagri.kk.diupdate kemendikbud.nisn.diverifikasi "
    "kemensos.bansos.disalurkan lkpp.pemenang.dipilih lkpp.penawaran.diajukan lkpp.tender.dibuat "
    "oss.izin.dimohonkan oss.izin.disetujui oss.izin.dikirim pajak.pajak.diperbarui "
    "setneg.undangundang.berubah dukcapil.penduduk.dimutakhirkan pajak.setoran.diterima "
    "setneg.pengiriman.terhenti"
)
PATTERNS = {f"id.go.{name}.v1": "publish-subscribe" for name in PUBLISHED.split()} | {
    "id.go.dinas.laporan.bulanan.v1": "point-to-point",
    "id.go.kemensos.pengaduan.diterima.v1": "point-to-point",
    "id.go.dukcapil.nik.validasi.v1": "request-reply",
}
RECEIVERS = {"anri", "bi", "bnpb", "kemendag"}
# Values that name a person, and the mark by which the gateway masks them.
PERSONAL = {"nik": "nik", "nomor_kk": "nomor_kk", "nisn": "nisn", "npwp": "npwp"} | {
    "nama_orang": "nama",
    "petugas": "petugas",
}
PHYSICAL = {"magnitudo", "lintang", "bujur", "kedalaman_km"}
BOUNDS = {
    "string": [{"maxLength"}, {"enum"}],
    "array": [{"maxItems"}],
    "integer": [{"minimum", "maximum"}],
    "number": [{"minimum", "maximum"}],
}
# Not in every engine that a receiver may use, or not linear.
NOT_PORTABLE = re.compile(r"\(\?[=!<>P]|\\[1-9]|\\[dDwWsSbBpP]|[*+}][*+]")


def read(path: Path) -> Any:
    return json.loads(path.read_bytes())


def named(path: Path) -> str:
    return "/".join(path.relative_to(SCHEMAS).parts[1:]).removesuffix(".json")


def schema_of(example: Path) -> Any:
    folder = example.parent.parent
    if folder.name == "reply":
        return read(folder.parents[1] / "versions" / "1.reply.json")
    return read(folder.parent / "versions" / "1.json")


def violations(schema: Any, data: Any) -> tuple[Counter[tuple[str, str]], Counter[tuple[str, str]]]:
    """What each validator finds, as (pointer, keyword)."""
    reference = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
    fast = jsonschema_rs.validator_for(
        schema,
        validate_formats=True,
        offline=True,
        pattern_options=jsonschema_rs.RegexOptions(),
    )
    return (
        Counter((_pointer(e.absolute_path), e.validator) for e in reference.iter_errors(data)),
        Counter((_pointer(e.instance_path), e.kind.name) for e in fast.iter_errors(data)),
    )


def _pointer(path: Any) -> str:
    return "".join(f"/{step}" for step in path)


def properties(schema: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every named property, nested ones too; reached without following a reference."""
    for name, one in schema.get("properties", {}).items():
        yield name, one
        yield from properties(one)
    if "items" in schema:
        yield "items", schema["items"]
        yield from properties(schema["items"])


def test_every_type_of_the_scenarios_is_here_with_its_pattern() -> None:
    found = {path.name: read(path / "contract.json")["pattern"] for path in CONTRACTS}
    assert found == PATTERNS


def test_every_folder_is_an_organisation_with_a_name() -> None:
    found = {path.name: read(path / "organisation.json") for path in SCHEMAS.iterdir()}
    assert set(found) == {name.split(".")[2] for name in PATTERNS} | RECEIVERS
    for name, organisation in found.items():
        assert list(organisation) == ["name", "title", "description"]
        assert organisation["name"] == name


@pytest.mark.parametrize("path", sorted(SCHEMAS.rglob("*.json")), ids=named)
def test_files_are_written_alike_and_their_names_hold_no_national_id(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text == json.dumps(json.loads(text), indent=2, ensure_ascii=False) + "\n"
    assert not re.search(r"[0-9]{10}", path.name)


@pytest.mark.parametrize("folder", CONTRACTS, ids=lambda path: path.name)
def test_a_contract_is_complete(folder: Path) -> None:
    contract = read(folder / "contract.json")
    facts = ["type", "owner", "title", "description", "pattern", "classification", "ordering"]
    more = [each for each in ("non_delivery_report", "retention_days") if each in contract]
    assert list(contract) == [*facts, *more]
    assert contract["type"] == folder.name
    assert contract["owner"] == folder.parent.name == folder.name.split(".")[2]
    assert contract["classification"] in {"public", "internal", "confidential", "secret"}
    assert contract["ordering"]["key"] in {"subject", "partitionkey", "id"}
    assert contract["ordering"]["description"]
    answered = contract["pattern"] == "request-reply"
    for sub in ["examples", *(["examples/reply"] if answered else [])]:
        assert (folder / sub / "valid" / "seed.json").is_file()
        assert len(list((folder / sub / "valid").glob("*.json"))) >= 2
        assert len(list((folder / sub / "invalid").glob("*.json"))) >= 4
    assert (folder / "versions" / "1.json").is_file()
    assert (folder / "versions" / "1.reply.json").is_file() == answered


@pytest.mark.parametrize("path", VERSIONS, ids=named)
def test_a_schema_is_valid_closed_bounded_and_described(path: Path) -> None:
    schema = read(path)
    Draft202012Validator.check_schema(schema)
    jsonschema_rs.Draft202012Validator(schema, pattern_options=jsonschema_rs.RegexOptions())
    assert schema["$schema"] == Draft202012Validator.META_SCHEMA["$id"]
    assert schema["$id"] == f"https://nusabus.go.id/schemas/{path.parents[1].name}/{path.stem}"
    definitions = schema.get("$defs", {})
    for name, one in [("", schema), *properties(schema), *definitions.items()]:
        assert one["title"], name
        assert one["description"], name
        if "$ref" in one:
            assert one["$ref"].removeprefix("#/$defs/") in definitions
            continue
        kind = one["type"]
        assert kind != "object" or one["additionalProperties"] is False, name
        assert any(bound <= one.keys() for bound in BOUNDS.get(kind, [set()])), name
        assert kind != "number" or name in PHYSICAL, f"{name}: money is an integer"
        assert not NOT_PORTABLE.search(one.get("pattern", "")), name


@pytest.mark.parametrize("path", VERSIONS, ids=named)
def test_personal_data_are_marked_and_only_travel_as_confidential(path: Path) -> None:
    found = list(properties(read(path)))
    for _, one in found:
        kind = PERSONAL.get(one.get("$ref", "").removeprefix("#/$defs/"))
        assert kind in (None, one.get("x-pii"))
    if any("x-pii" in one for _, one in found):
        contract = read(path.parents[1] / "contract.json")
        assert contract["classification"] in {"confidential", "secret"}


@pytest.mark.parametrize("path", EXAMPLES, ids=named)
def test_both_validators_agree_with_the_folder_of_every_example(path: Path) -> None:
    example = read(path)
    if path.parent.name == "valid":
        assert violations(schema_of(path), example) == (Counter(), Counter())
        return
    assert list(example) == ["reason", "keyword", "pointer", "data"]
    expected = Counter({(example["pointer"], example["keyword"]): 1})
    assert violations(schema_of(path), example["data"]) == (expected, expected)


@pytest.mark.parametrize("folder", CONTRACTS, ids=lambda path: path.name)
def test_invalid_examples_break_different_rules(folder: Path) -> None:
    broken = [read(path) for path in folder.glob("examples/invalid/*.json")]
    assert len({(one["pointer"], one["keyword"]) for one in broken}) >= 4


def test_a_report_type_accepts_every_report() -> None:
    wanted = {read(folder / "contract.json").get("non_delivery_report") for folder in CONTRACTS}
    for type in wanted - {None}:
        schema = read(SCHEMAS / type.split(".")[2] / type / "versions" / "1.json")
        for sample in sample_reports():
            assert violations(schema, sample) == (Counter(), Counter())
