"""Records to documents and rejects."""

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from adapters.legacy_cobol.copybook.kinds import ByteOrder
from adapters.legacy_cobol.fields.codes import FaultCode
from adapters.legacy_cobol.fields.policy import Form, Meaning, Policy
from adapters.legacy_cobol.records.decoder import BLOCK
from adapters.legacy_cobol.records.encoder import Encoder
from adapters.legacy_cobol.records.record_type import Path, RecordType, Selector
from tests.unit.legacy.records.files import ASCII, EBCDIC, a_type, decode, decode_fixed, record

PERSON = """
01 PERSON.
   05 NIK         PIC 9(16).
   05 FULL-NAME   PIC X(10).
   05 BALANCE     PIC S9(5)V99 COMP-3.
   05 FILLER      PIC X(2).
"""
CELL = b"3273011234567890" + b'SITI "N"  ' + bytes.fromhex("1234567d") + b"zz"


def test_a_document_in_python_and_in_json() -> None:
    policies = {("PERSON", "NIK"): Policy(form=Form.CODE)}
    kind = a_type(PERSON, policies=policies, names={("PERSON", "FULL-NAME"): "name"})
    decoded = decode_fixed(kind, CELL)
    document = {"nik": "3273011234567890", "name": 'SITI "N"', "balance": "-12345.67"}
    assert decoded.documents() == [document]
    assert decoded.ndjson() == json.dumps(document, separators=(",", ":")).encode() + b"\n"
    assert decoded.json() == [decoded.ndjson().rstrip()]
    assert decoded.kinds() == ["test"]


def test_numbers_in_json_are_exact() -> None:
    kind = a_type(
        "01 R. 05 A PIC S9(18) COMP-3. 05 B PIC S9(31)V9(7) COMP-3. 05 C PIC VPP99. 05 D PIC 99PP. "
        "05 E COMP-2. 05 F PIC S9(3)V9.",
        policy=Policy(form=Form.NUMBER),
    )
    data = bytes.fromhex("0999999999999999999d") + b"\x01" + b"\x11" * 18 + b"\x1d" + b"42" + b"07"
    data += bytes.fromhex("3fb999999999999a") + b"000u"
    decoded = decode_fixed(kind, data)
    b = "-1" + "1" * 30 + "." + "1" * 7
    assert decoded.ndjson() == (
        f'{{"a":-999999999999999999,"b":{b},"c":0.0042,"d":700,"e":0.1,"f":-0.5}}\n'.encode()
    )
    (document,) = decoded.documents()
    assert document is not None
    assert document["b"] == Decimal(b)
    assert document["f"] == Decimal("-0.5")


def test_every_json_document_says_what_python_says() -> None:
    kind = a_type("01 R. 05 T PIC X(3). 05 N PIC S9(9) COMP.", policy=Policy(controls=True))
    texts = ["a\x00b", 'a"\\', "é\xff ", " x ", "   ", "\x7f\x80\n"]
    numbers = [0, 1, -1, 9999, 10000, -999_999_999]
    data = b"".join(
        text.encode("latin-1") + number.to_bytes(4, signed=True)
        for text, number in zip(texts, numbers, strict=True)
    )

    decoded = decode_fixed(kind, data, encoding=replace(ASCII, code_page="latin-1"))
    assert [json.loads(each or b"") for each in decoded.json()] == decoded.documents()


def test_a_reject_names_field_offset_code_and_bytes() -> None:
    bad = CELL[:26] + bytes.fromhex("12a4567d") + CELL[30:]
    decoded = decode_fixed(a_type(PERSON), CELL + bad + CELL)
    assert [each is None for each in decoded.documents()] == [False, True, False]
    assert decoded.ndjson().count(b"\n") == 2
    (reject,) = decoded.rejects()
    assert (reject.number, reject.offset, reject.raw, reject.kind) == (2, 32, bad, "test")
    (fault,) = reject.faults
    assert (fault.field, fault.code, fault.offset) == ("BALANCE", FaultCode.INVALID_DIGIT, 26)
    assert fault.raw.hex() == "12a4567d"
    assert str(fault).startswith("BALANCE at byte 26: invalid-digit (hex xxaxxxxd). Correct")


def test_nulls_in_json() -> None:
    kind = a_type("01 R. 05 A PIC 9(3). 05 B PIC X(2).", policy=Policy(blanks=Meaning.NULL))
    decoded = decode_fixed(kind, b"     " + b"123ab")
    assert decoded.ndjson() == b'{"a":null,"b":null}\n{"a":123,"b":"ab"}\n'


def test_tables_of_tables() -> None:
    kind = a_type("01 R. 05 G OCCURS 2. 10 A PIC 9. 10 B PIC X OCCURS 2. 05 Z PIC 9.")
    decoded = decode_fixed(kind, b"1ab2cd9" + b"3ef4gh8")
    expected = [
        {"g": [{"a": 1, "b": ["a", "b"]}, {"a": 2, "b": ["c", "d"]}], "z": 9},
        {"g": [{"a": 3, "b": ["e", "f"]}, {"a": 4, "b": ["g", "h"]}], "z": 8},
    ]
    assert decoded.documents() == expected
    assert [json.loads(each or b"") for each in decoded.json()] == expected


def test_faults_in_tables_have_subscripts_and_their_own_offset() -> None:
    kind = a_type("01 R. 05 G OCCURS 2. 10 A PIC 9. 10 B PIC 9 OCCURS 3.")
    decoded = decode_fixed(kind, b"12341234" + b"123x1x34")
    (reject,) = decoded.rejects()
    assert [(each.field, each.offset) for each in reject.faults] == [
        ("G.B(1,3)", 3),
        ("G.B(2,1)", 5),
    ]


ODO = """
01 R.
   05 N PIC 9.
   05 ITEMS OCCURS 0 TO 5 DEPENDING ON N.
      10 CODE-X PIC X.
      10 QTY PIC 9(2).
   05 TOTAL PIC 9(3).
"""


def test_counters_move_what_stands_behind() -> None:
    decoded = decode(a_type(ODO), b"2a01b02003", b"0000", b"1c05005", b"2d01e01002")
    documents = decoded.documents()
    assert documents[0] == {
        "n": 2, "items": [{"code_x": "a", "qty": 1}, {"code_x": "b", "qty": 2}], "total": 3,
    }  # fmt: skip
    assert documents[1] == {"n": 0, "items": [], "total": 0}
    assert [each and each["total"] for each in documents] == [3, 0, 5, 2]
    assert [json.loads(each or b"") for each in decoded.json()] == documents


def test_bad_counters_and_lengths_are_rejects() -> None:
    decoded = decode(a_type(ODO), b"6a01", b"x000", b"2a01b0200", b"1c050050", b"1c05005", b"")
    assert [each is None for each in decoded.documents()] == [True] * 4 + [False, True]
    codes = [reject.faults[0].code for reject in decoded.rejects()]
    assert codes == [
        FaultCode.COUNTER_OUT_OF_RANGE,
        FaultCode.INVALID_DIGIT,
        FaultCode.RECORD_LENGTH,
        FaultCode.RECORD_LENGTH,
        FaultCode.RECORD_LENGTH,
    ]


def test_tables_whose_elements_differ_in_length() -> None:
    kind = a_type(
        "01 R. 05 G OCCURS 2. 10 N PIC 9. 10 V PIC X OCCURS 0 TO 9 DEPENDING ON N. 05 Z PIC 9."
    )
    decoded = decode(kind, b"1a3bcd9", b"02xy7")
    expected = [
        {"g": [{"n": 1, "v": ["a"]}, {"n": 3, "v": ["b", "c", "d"]}], "z": 9},
        {"g": [{"n": 0, "v": []}, {"n": 2, "v": ["x", "y"]}], "z": 7},
    ]
    assert decoded.documents() == expected
    assert [json.loads(each or b"") for each in decoded.json()] == expected


MIXED = {
    "header": "01 H. 05 T PIC X. 88 IS-H VALUE 'H'. 05 DAY-X PIC 9(8).",
    "detail": "01 D. 05 T PIC X. 88 IS-D VALUES 'D' 'E'. 05 AMOUNT PIC 9(4)V99.",
    "trailer": "01 Z. 05 T PIC X. 05 COUNT-X PIC 9(5).",
}


def mixed() -> list[RecordType]:
    records = {name: record(text) for name, text in MIXED.items()}
    return [
        RecordType("header", records["header"], (Selector.condition(records["header"], "IS-H"),)),
        RecordType("detail", records["detail"], (Selector.condition(records["detail"], "is-d"),)),
        RecordType("trailer", records["trailer"], (Selector.equals(records["trailer"], "T", "T"),)),
    ]


def test_record_types_are_chosen_by_their_selectors_and_stay_in_order() -> None:
    decoded = decode(mixed(), b"H20231105", b"D000150", b"E000250", b"X12", b"T00002", b"")
    assert decoded.kinds() == ["header", "detail", "detail", None, "trailer", None]
    assert decoded.documents() == [
        {"t": "H", "day_x": 20231105}, {"t": "D", "amount": "1.50"}, {"t": "E", "amount": "2.50"},
        None, {"t": "T", "count_x": 2}, None,
    ]  # fmt: skip
    assert decoded.ndjson().splitlines() == [each for each in decoded.json() if each]
    assert [(each.number, each.faults[0].code) for each in decoded.rejects()] == [
        (4, FaultCode.NO_RECORD_TYPE), (6, FaultCode.NO_RECORD_TYPE),
    ]  # fmt: skip


CHOICE = """
01 R.
   05 KIND-X PIC X.
   05 PLACE-X OCCURS 2.
      10 SORT-X PIC 9.
      10 TEXT-X PIC X(4).
      10 NUMBER-X REDEFINES TEXT-X PIC 9(4).
      10 PAIR-X REDEFINES TEXT-X.
         15 LEFT-X PIC 9(2).
         15 RIGHT-X PIC 9(2).
"""


def choosing(level: str = "SORT-X") -> RecordType:
    found = record(CHOICE)
    base = ("R", "PLACE-X")
    values = {"NUMBER-X": "1", "PAIR-X": "2"}
    variants: dict[Path, tuple[Selector, ...]] = {
        (*base, name): (Selector.equals(found, level, value),) for name, value in values.items()
    }
    return RecordType("choosing", found, variants=variants)


def test_redefines_by_a_selector_in_each_element() -> None:
    decoded = decode_fixed(choosing(), b"A0abcd10042" + b"B211221xx42")
    assert decoded.documents() == [
        {"kind_x": "A", "place_x": [
            {"sort_x": 0, "text_x": "abcd"}, {"sort_x": 1, "number_x": 42}]},
        None,
    ]  # fmt: skip
    assert json.loads(decoded.json()[0] or b"") == decoded.documents()[0]
    (reject,) = decoded.rejects()
    assert reject.faults[0].field == "PLACE-X.NUMBER-X(2)"
    assert reject.faults[0].offset == 7


def test_redefines_by_a_selector_outside_of_the_table() -> None:
    decoded = decode_fixed(choosing("KIND-X"), b"20112203344" + b"Z0abcd0wxyz")
    first, second = decoded.documents()
    assert first is not None
    assert second is not None
    assert first["place_x"][1] == {"sort_x": 0, "pair_x": {"left_x": 33, "right_x": 44}}
    assert second["place_x"][0] == {"sort_x": 0, "text_x": "abcd"}


def test_no_variant_is_a_reject() -> None:
    found = record("01 R. 05 S PIC 9. 05 A PIC X. 05 B REDEFINES A PIC 9.")
    variants: dict[Path, tuple[Selector, ...]] = {
        ("R", "A"): (Selector.equals(found, "S", "1"),),
        ("R", "B"): (Selector.equals(found, "S", "2"),),
    }
    decoded = decode_fixed(RecordType("r", found, variants=variants), b"1x273x")
    assert decoded.documents() == [{"s": 1, "a": "x"}, {"s": 2, "b": 7}, None]
    assert next(decoded.rejects()).faults[0].code is FaultCode.NO_VARIANT


@pytest.mark.parametrize("chosen", ["1", "2", "3", "9"])
def test_alternatives_that_no_record_takes(chosen: str) -> None:
    """Of every kind of column, and with a table, whichever of them are empty."""
    found = record(
        "01 R. 05 S PIC X. 05 A PIC X(8). 05 B REDEFINES A PIC N(4). "
        "05 C REDEFINES A. 10 D COMP-1. 10 E PIC X(2) OCCURS 2."
    )
    variants: dict[Path, tuple[Selector, ...]] = {
        ("R", name): (Selector.equals(found, "S", value),)
        for name, value in (("A", "1"), ("B", "2"), ("C", "3"))
    }
    kind = RecordType("r", found, variants=variants)
    shared: dict[str, dict[str, Any]] = {
        "1": {"a": "text"}, "2": {"b": "AB"}, "3": {"c": {"d": 1.5, "e": ["x", "y"]}},
    }  # fmt: skip
    data = {
        "1": b"text    ", "2": "AB  ".encode("utf-16-be"), "3": b"\0\0\xc0\x3fx y ",
        "9": b"text    ",
    }  # fmt: skip
    encoding = replace(ASCII, native_order=ByteOrder.LITTLE)
    decoded = decode_fixed(kind, chosen.encode() + data[chosen], encoding)
    if chosen == "9":
        assert next(decoded.rejects()).faults[0].code is FaultCode.NO_VARIANT
        assert decoded.json() == [None]
        return
    document = {"s": chosen, **shared[chosen]}
    assert decoded.documents() == [document]
    assert json.loads(decoded.json()[0] or b"") == document
    encoded = Encoder([kind], encoding).encode([document], "r")
    assert encoded.records == [chosen.encode() + data[chosen]]


def test_a_selector_without_a_fixed_place_is_refused() -> None:
    found = record(ODO)
    with pytest.raises(ValueError, match="no fixed offset"):
        decode(RecordType("r", found, (Selector.equals(found, "TOTAL", "1"),)))


def test_filler_groups_lend_their_members() -> None:
    kind = a_type("01 R. 05 FILLER. 10 A PIC X. 10 FILLER PIC X. 05 FILLER PIC X.")
    assert decode_fixed(kind, b"abc").documents() == [{"a": "a"}]


def test_ebcdic_selectors_and_more_records_than_a_block() -> None:
    found = record("01 R. 05 T PIC X. 05 N PIC 9(5).")
    kinds = [
        RecordType("even", found, (Selector.equals(found, "T", "0", "2", "4", "6", "8"),)),
        RecordType("odd", found),
    ]
    count = 2 * BLOCK + 3
    records = [f"{number % 10}{number:05}".encode("cp037") for number in range(count)]
    decoded = decode(kinds, *records, encoding=EBCDIC)
    assert [each and each["n"] for each in decoded.documents()] == list(range(count))
    assert decoded.kinds()[:3] == ["even", "odd", "even"]
    assert decoded.ndjson().count(b"\n") == count
