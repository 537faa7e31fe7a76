"""The schema takes what the decoder writes, and the encoder takes what the schema allows."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from adapters.legacy_cobol.mapping.layout_file import Layout
from adapters.legacy_cobol.records.chunks import Chunk
from adapters.legacy_cobol.records.decoder import Decoder
from adapters.legacy_cobol.records.encoder import Encoder
from adapters.legacy_cobol.schema.derive import derive
from tests.unit.legacy.schema.feeds import LAYOUT, a_layout

CITIZEN: dict[str, Any] = {
    "rec_type": "C",
    "nik": "3171012345670001",
    "name": "SITI RAHAYU",
    "sex": "P",
    "balance": "-12.50",
    "age": 34,
    "kind": "P",
    "address_parts": {"street": "MERDEKA", "house": 17},
    "phones_count": 2,
    "phone": [{"number_text": "12345"}, {"number_text": ""}],
}


@pytest.fixture
def schema(tmp_path: Path) -> dict[str, Any]:
    found = derive(a_layout(tmp_path))
    Draft202012Validator.check_schema(found)
    return found


def accepts(schema: dict[str, Any], document: object) -> bool:
    return Draft202012Validator(schema).is_valid(document)


def encoded(layout: Layout) -> bytes:
    """The record of CITIZEN."""
    types = [each.type for each in layout.records]
    found = Encoder(types, layout.encoding).encode([CITIZEN], "citizen")
    assert found.faults == {}
    (raw,) = found.records
    assert raw is not None
    return raw


def decoded(layout: Layout, raw: bytes) -> dict[str, Any] | None:
    """The document of one record, None where it is rejected."""
    data = np.frombuffer(raw, np.uint8)
    chunk = Chunk(data, np.array([0], np.int64), np.array([len(raw)], np.int64), 1, 0)
    types = [each.type for each in layout.records]
    (document,) = Decoder(types, layout.encoding).decode(chunk).documents()
    return document


def test_there_and_back(schema: dict[str, Any], tmp_path: Path) -> None:
    layout = a_layout(tmp_path)
    assert decoded(layout, encoded(layout)) == CITIZEN
    assert accepts(schema, CITIZEN)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.dictionaries(st.integers(1, 80), st.integers(0, 255), max_size=4))
def test_whatever_is_decoded_is_valid(changes: dict[int, int], tmp_path: Path) -> None:
    layout = a_layout(tmp_path, 'conditions = "open"\n' + LAYOUT)
    raw = bytearray(encoded(layout))
    for at, byte in changes.items():
        raw[at % len(raw)] = byte
    document = decoded(layout, bytes(raw))
    if document is not None and document["rec_type"] == "C":
        assert list(Draft202012Validator(derive(layout)).iter_errors(document)) == []


@pytest.mark.parametrize(
    "change",
    [
        {"nik": "317101234567000"},
        {"nik": 3171012345670001},
        {"name": "X" * 21},
        {"sex": "X"},
        {"balance": "12.5"},
        {"balance": "12345678.00"},
        {"balance": 12.5},
        {"age": 151},
        {"age": -1},
        {"age": 1.5},
        {"kind": "T"},
        {"kind": "Z"},
        {"address_text": "MERDEKA 17"},
        {"phone": [{"number_text": "1"}] * 4},
        {"phone": [{"number_text": "123456"}]},
        {"filler": "   "},
    ],
)
def test_what_the_copybook_has_no_room_for(schema: dict[str, Any], change: dict[str, Any]) -> None:
    assert not accepts(schema, CITIZEN | change)


@pytest.mark.parametrize(
    "change",
    [
        {"name": None},
        {"balance": "0.00"},
        {"balance": "9999999.99"},
        {"age": 0},
        {"phone": []},
        {"kind": "Q"},
    ],
)
def test_what_it_has_room_for(schema: dict[str, Any], change: dict[str, Any]) -> None:
    assert accepts(schema, CITIZEN | change)


def test_the_other_meaning_of_shared_bytes(schema: dict[str, Any]) -> None:
    document = {key: value for key, value in CITIZEN.items() if key != "address_parts"}
    assert not accepts(schema, document)
    assert accepts(schema, document | {"kind": "T", "address_text": "MERDEKA 17"})
    assert not accepts(schema, document | {"kind": "P", "address_text": "MERDEKA 17"})


def test_titles_and_places(schema: dict[str, Any]) -> None:
    nik = schema["properties"]["nik"]
    assert nik["title"] == "National identity number"
    assert nik["x-cobol"] == {
        "record": "CITIZEN-REC", "name": "NIK", "from": 2, "to": 17,
        "picture": "9(16)", "usage": "DISPLAY",
    }  # fmt: skip
    assert schema["properties"]["name"]["title"] == "Full name"
    assert schema["properties"]["sex"]["x-cobol"]["conditions"] == {"MALE": ["L"], "FEMALE": ["P"]}
    assert schema["properties"]["phone"]["x-cobol"]["counter"] == "PHONES-COUNT"


def test_control_records_are_no_events(schema: dict[str, Any], tmp_path: Path) -> None:
    assert schema["title"] == "Citizen rec"
    none = LAYOUT.replace("[records.fields.NIK]", 'role = "control"\n[records.fields.NIK]')
    with pytest.raises(ValueError, match="no record"):
        derive(a_layout(tmp_path, none))


def test_open_conditions_close_nothing(tmp_path: Path) -> None:
    schema = derive(a_layout(tmp_path, 'conditions = "open"\n' + LAYOUT))
    assert accepts(schema, CITIZEN | {"sex": "X", "age": 999})


def test_several_kinds_of_events_and_their_parts(tmp_path: Path) -> None:
    text = LAYOUT.replace('role = "control"\n', "")
    both = derive(a_layout(tmp_path, text))
    assert [each["title"] for each in both["oneOf"]] == ["Head rec", "Citizen rec"]
    parts = text.replace(
        "when = [{ condition", 'parent = "head"\nlist = "people"\nwhen = [{ condition'
    )
    schema = derive(a_layout(tmp_path, parts))
    head = {"rec_type": "H", "serial": 7}
    assert accepts(schema, head)
    assert accepts(schema, head | {"people": [CITIZEN]})
    assert not accepts(schema, head | {"people": [CITIZEN | {"sex": "?"}]})


SMALL = 'copybook = "citizen.cpy"\nform = "free"\n[[records]]\nname = "r"\n'


def test_fillers_have_no_members_but_their_groups_have(tmp_path: Path) -> None:
    text = "01 R. 05 FILLER. 10 A PIC X. 10 FILLER PIC X. 05 P POINTER. 05 B PIC X OCCURS 2."
    schema = derive(a_layout(tmp_path, SMALL, text))
    assert schema["required"] == ["a", "b"]
    assert schema["properties"]["b"]["items"] == {"type": "string", "maxLength": 1}


def test_a_record_of_one_field(tmp_path: Path) -> None:
    schema = derive(a_layout(tmp_path, SMALL, "01 R PIC 9(3)."))
    assert accepts(schema, {"r": 5})
    assert not accepts(schema, {"r": 1000})


def test_variants_may_give_one_name_two_meanings(tmp_path: Path) -> None:
    copybook = "01 R. 05 K PIC X. 05 A. 10 V PIC X. 05 B REDEFINES A. 10 V PIC 9."
    variants = """[records.variants.A]
when = [{ field = "K", values = ["X"] }]
[records.variants.B]
[records.fields.B]
name = "a"
"""
    schema = derive(a_layout(tmp_path, SMALL + variants, copybook))
    assert accepts(schema, {"k": "X", "a": {"v": "x"}})
    assert accepts(schema, {"k": "Y", "a": {"v": 1}})
    assert not accepts(schema, {"k": "Y", "a": {"v": "x"}})
    assert not accepts(schema, {"k": "X"})


def test_unconnected_redefinitions_show_the_first_meaning(tmp_path: Path) -> None:
    text = "01 R. 05 A PIC X(4). 05 B REDEFINES A PIC 9(4)."
    assert derive(a_layout(tmp_path, SMALL, text))["required"] == ["a"]
