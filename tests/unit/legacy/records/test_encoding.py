"""Documents back to records, to the byte."""

import json
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.legacy_cobol.fields.codes import FaultCode
from adapters.legacy_cobol.fields.policy import Meaning, Policy, Trim
from adapters.legacy_cobol.records.encoder import Encoder, originals_needed
from adapters.legacy_cobol.records.record_type import RecordType
from tests.unit.legacy.copybook.random_records import a_record, in_free_form
from tests.unit.legacy.records.files import ASCII, EBCDIC, a_type, decode, decode_fixed
from tests.unit.legacy.records.test_decoding import CELL, ODO, PERSON, choosing


def encode(kind: RecordType, *documents: dict[str, Any], originals: Any = None) -> list[Any]:
    """The bytes of each document, or (field, code) of its first fault."""
    found = Encoder([kind], ASCII).encode(documents, kind.name, originals)
    out: list[Any] = list(found.records)
    for at, faults in found.faults.items():
        out[at] = (faults[0].field, faults[0].code)
    return out


GOOD: dict[str, Any] = {"nik": "3273011234567890", "full_name": "SITI", "balance": "-1.50"}


def test_what_no_document_names_has_its_value_clause_or_blanks() -> None:
    (record,) = encode(a_type(PERSON.replace("PIC X(2)", "PIC X(2) VALUE 'zz'")), GOOD)
    assert record == b"3273011234567890SITI      " + bytes.fromhex("0000150d") + b"zz"
    (record,) = encode(a_type(PERSON), GOOD)
    assert record[-2:] == b"  "


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"balance": "100000.00"}, ("BALANCE", FaultCode.OVERFLOW)),
        ({"balance": Decimal("0.001")}, ("BALANCE", FaultCode.FRACTION_LOST)),
        ({"balance": 0.5}, ("BALANCE", FaultCode.WRONG_TYPE)),
        ({"balance": None}, ("BALANCE", FaultCode.NULL)),
        ({"nik": -1}, ("NIK", FaultCode.NEGATIVE_UNSIGNED)),
        ({"full_name": "é"}, ("FULL-NAME", FaultCode.UNENCODABLE)),
        ({"full_name": "ABCDEFGHIJK"}, ("FULL-NAME", FaultCode.TOO_LONG)),
        ({"full_name": 7}, ("FULL-NAME", FaultCode.WRONG_TYPE)),
        ({"other": 1}, ("other", FaultCode.UNKNOWN_FIELD)),
    ],
)
def test_refusals_name_the_field(change: dict[str, Any], fault: tuple[str, FaultCode]) -> None:
    assert encode(a_type(PERSON), GOOD | change, GOOD)[0] == fault
    assert encode(a_type(PERSON), GOOD | change, GOOD)[1] is not None


def test_missing_fields_are_refused() -> None:
    assert encode(a_type(PERSON), {"nik": 1, "balance": 0}) == [("FULL-NAME", FaultCode.MISSING)]


def test_the_original_keeps_all_that_was_not_changed() -> None:
    """FILLER, and a sign that would be written in another way."""
    original = CELL[:29] + b"\x7b" + CELL[30:]
    kind = a_type(PERSON)
    (document,) = decode_fixed(kind, original).documents()
    assert document is not None
    assert encode(kind, document, originals=[original]) == [original]
    changed = document | {"full_name": "BUDI"}
    (record,) = encode(kind, changed, originals=[original])
    assert record == original[:16] + b"BUDI      " + original[26:]
    (record,) = encode(kind, {"balance": "0.00"}, originals=[original])
    assert record == original[:26] + bytes.fromhex("0000000c") + b"zz"


def test_tables_need_as_many_elements_as_their_counter_says() -> None:
    kind = a_type(ODO)
    items = [{"code_x": "a", "qty": 1}, {"code_x": "b", "qty": 2}]
    assert encode(kind, {"n": 2, "items": items, "total": 3}) == [b"2a01b02003"]
    assert encode(kind, {"n": 1, "items": items, "total": 3}) == [("N", FaultCode.COUNT_MISMATCH)]
    many = {"n": 6, "items": items * 3, "total": 3}
    assert encode(kind, many) == [("ITEMS", FaultCode.COUNT_MISMATCH)]
    assert encode(kind, {"n": 2, "items": [*items[:1], 5], "total": 3}) == [
        ("ITEMS(2)", FaultCode.WRONG_TYPE)
    ]
    fixed = a_type("01 R. 05 A PIC 9 OCCURS 2.")
    assert encode(fixed, {"a": [1]}, {"a": [1, 2]}, {"a": 5}) == [
        ("A", FaultCode.COUNT_MISMATCH), b"12", ("A", FaultCode.WRONG_TYPE),
    ]  # fmt: skip


def test_variants_are_written_and_must_be_those_that_are_selected() -> None:
    kind = choosing()
    good = {
        "kind_x": "A",
        "place_x": [{"sort_x": 0, "text_x": "abcd"}, {"sort_x": 1, "number_x": 42}],
    }
    assert encode(kind, good) == [b"A0abcd10042"]
    wrong = {
        "kind_x": "A",
        "place_x": [{"sort_x": 1, "text_x": "1234"}, {"sort_x": 1, "number_x": 4}],
    }
    assert encode(kind, wrong) == [("(record)", FaultCode.NO_VARIANT)]
    none = {"kind_x": "A", "place_x": [{"sort_x": 0}, {"sort_x": 1, "number_x": 4}]}
    assert encode(kind, none) == [("PLACE-X.TEXT-X(1)", FaultCode.MISSING)]


def test_only_records_that_need_them_keep_their_bytes() -> None:
    kind = a_type("01 R. 05 A PIC S9(3) COMP-3. 05 FILLER PIC X.")
    data = bytes.fromhex("123c20") + bytes.fromhex("123f20") + bytes.fromhex("123c00")
    decoded = decode_fixed(kind, data)
    assert originals_needed(decoded, Encoder([kind], ASCII)) == [None, data[3:6], data[6:]]


@settings(deadline=None, max_examples=60)
@given(st.integers(0), st.data())
def test_any_bytes_of_any_record_come_back_or_are_rejected(seed: int, data: st.DataObject) -> None:
    text = in_free_form(Random(seed), a_record(Random(seed), "R"))
    lenient = Policy(
        low_values=Meaning.KEEP, high_values=Meaning.KEEP, controls=True, trim=Trim.NONE
    )
    kind = a_type(text, policies=_only_text(text, lenient))
    length = kind.record.maximum_length
    raw = data.draw(st.binary(min_size=length, max_size=length))
    plain = Encoder([kind], EBCDIC).encode([{}], "test", [raw])
    assert plain.records == [raw]
    records = [raw, _plausible(kind, Random(seed))]
    decoded = decode_fixed(kind, b"".join(records), encoding=EBCDIC)
    lines = decoded.json()
    for at, document in enumerate(decoded.documents()):
        if document is None:
            assert decoded.faults[at]
        else:
            assert json.loads(lines[at] or b"") == document
            again = Encoder([kind], EBCDIC).encode([document], "test", [records[at]])
            assert again.records == [records[at]]
    assert decoded.documents()[1] is not None


def _only_text(text: str, policy: Policy) -> dict[tuple[str, ...], Policy]:
    from adapters.legacy_cobol.copybook.kinds import National, Text

    items = a_type(text).record.items()
    return {each.path: policy for each in items if isinstance(each.kind, Text | National)}


def _plausible(kind: RecordType, random: Random) -> bytes:
    """A good record: what an encoder writes for a document of blanks and zeros, and some digits."""
    from adapters.legacy_cobol.copybook.placement import Area, place
    from adapters.legacy_cobol.records.plan import Plan

    area = place(kind.record, ())
    assert isinstance(area, Area)
    return Plan(kind, EBCDIC, area).blank()


@given(st.lists(st.binary(min_size=1, max_size=30), min_size=1, max_size=5))
def test_any_bytes_with_counters_come_back_or_are_rejected(records: list[bytes]) -> None:
    kind = a_type(ODO)
    decoded = decode(kind, *records)
    documents = decoded.documents()
    for at, document in enumerate(documents):
        assert (document is None) == (at in decoded.faults)
        if document is not None:
            assert encode(kind, document) == [records[at]]
