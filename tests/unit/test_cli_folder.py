"""Contracts as files: read, written back byte for byte, refused with the file's name."""

from pathlib import Path

import pytest

from adapters.cli.contracts import folder
from adapters.cli.exits import Failure
from tests.builders import FREE, QUESTION, write_contract

SCHEMAS = Path(__file__).resolve().parents[2] / "schemas"


def test_our_contracts_are_written_as_they_were_read() -> None:
    contracts = folder.read(SCHEMAS)
    assert len(contracts) == len(list(SCHEMAS.glob("*/*/contract.json"))) > 20
    written = {
        f"{contract.owner}/{contract.type}/{name}": text
        for contract in contracts
        for name, text in folder.written(contract).items()
    }
    files = {
        str(file.relative_to(SCHEMAS)): file.read_bytes() for file in SCHEMAS.glob("*/*/**/*.json")
    }
    assert written == files


def test_organisations() -> None:
    found = folder.organisations(SCHEMAS)
    assert list(found) == sorted(found)
    assert found["dukcapil"]["name"] == "dukcapil"


def test_a_question_and_its_reply(tmp_path: Path) -> None:
    reply = {"type": "object", "maxProperties": 1.50}
    write_contract(tmp_path, QUESTION, **{"versions/1.reply": reply, "versions/10": {"a": 1}})
    [contract] = folder.read(tmp_path)
    assert list(contract.versions) == [1, 10]
    assert contract.newest == 10
    assert contract.versions[1].reply_schema == reply
    assert contract.versions[10].reply_schema is None


def test_numbers_stay_as_they_are_written() -> None:
    text = b'{"a": 1.50, "b": 12345678901234567890, "c": 1E2}'
    assert folder.pretty(folder.parsed(text, "it")) == (
        b'{\n  "a": 1.50,\n  "b": 12345678901234567890,\n  "c": 1E+2\n}\n'
    )


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"contract": '{"a": 1, "a": 2}'}, r"contract\.json is not JSON: 'a' occurs twice"),
        ({"contract": "[]"}, r"contract\.json must be a JSON object"),
        ({"contract": {"owner": "lain"}}, "the folders must be named"),
        ({"versions/1": None}, r"has neither versions/1\.json"),
        ({"versions/1": "{"}, r"1\.json is not JSON"),
        ({"examples/valid/empty": "x"}, r"empty\.json is not JSON"),
    ],
)
def test_a_bad_file_is_named(tmp_path: Path, files: dict[str, object], message: str) -> None:
    write_contract(tmp_path, FREE, **files)
    with pytest.raises(Failure, match=message):
        folder.read(tmp_path)


def test_a_folder_without_contracts(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="has no"):
        folder.read(tmp_path)
    with pytest.raises(Failure, match="is not a folder"):
        folder.read(tmp_path / "none")


def test_white_space_and_order_make_no_other_version() -> None:
    one = folder.Version(b'{"a": 1, "b": 2.0}')
    assert one.same_as(folder.Version(b'{"b":2,"a":1}'))
    assert not one.same_as(folder.Version(b'{"b":2,"a":1}', b"{}"))
