"""Every field of a record is a member of its own, whatever the copybook calls it."""

import re
from typing import Any

import pytest

from adapters.legacy_cobol.records.encoder import Encoder
from adapters.legacy_cobol.records.record_type import RecordType, Selector
from tests.unit.legacy.records.files import ASCII, a_type, decode_fixed, record

TWICE = "01 R. 05 FILLER. 10 KODE PIC X. 10 JML PIC 9. 05 FILLER. 10 KODE PIC X. 10 JML PIC 9."


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (TWICE, ["kode", "jml", "kode_2", "jml_2"]),
        ("01 R. 05 A-B PIC X. 05 A_B PIC X.", ["a_b", "a_b_2"]),
        ("01 R. 05 A PIC X. 05 FILLER. 10 A PIC X.", ["a", "a_2"]),
        ("01 R. 05 A PIC X. 05 A PIC X. 05 A-2 PIC X.", ["a", "a_2", "a_2_2"]),
        ("01 R. 05 A-B PIC X. 05 A_B PIC X. 05 A-B-2 PIC X.", ["a_b", "a_b_3", "a_b_2"]),
        ("01 R. 05 FILLER. 10 A PIC X. 05 FILLER. 10 FILLER. 15 A PIC X. 05 A PIC X.",
         ["a", "a_2", "a_3"]),
    ],
)  # fmt: skip
def test_the_later_of_two_equal_names_gets_a_number(text: str, names: list[str]) -> None:
    kind = a_type(text)
    data = b"12345678"[: kind.record.maximum_length]
    (document,) = decode_fixed(kind, data).documents()
    assert document is not None
    assert list(document) == names
    assert Encoder([kind], ASCII).encode([document], "test").records == [data]


def test_names_are_unique_in_their_object_alone() -> None:
    kind = a_type("01 R. 05 G. 10 A PIC X. 05 H OCCURS 2. 10 A PIC X. 05 A PIC X.")
    (document,) = decode_fixed(kind, b"1234").documents()
    assert document == {"g": {"a": "1"}, "h": [{"a": "2"}, {"a": "3"}], "a": "4"}


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        ({("R", "A"): "x", ("R", "B"): "x"}, "A and B would both be the member 'x'"),
        ({("R", "A"): "b"}, "A and B would both be the member 'b'"),
        ({("R", "B"): "a"}, "A and B would both be the member 'a'"),
    ],
)
def test_declared_names_that_meet_are_refused(names: dict[Any, str], problem: str) -> None:
    with pytest.raises(ValueError, match=re.escape(problem)):
        a_type("01 R. 05 A PIC X. 05 B PIC X.", names=names)


def test_two_names_may_be_exchanged() -> None:
    names = {("R", "A"): "b", ("R", "B"): "a"}
    kind = a_type("01 R. 05 A PIC X. 05 B PIC X.", names=names)
    assert decode_fixed(kind, b"12").documents() == [{"b": "1", "a": "2"}]


def with_variants(text: str) -> RecordType:
    """FILLER and FILLER-2 share bytes; KIND decides, wherever it is."""
    found = record(text)
    paths = [("R", name) for name in ("FILLER", "FILLER-2")]
    selectors = [(Selector.equals(found, "KIND", each),) for each in ("A", "B")]
    return RecordType("test", found, variants=dict(zip(paths, selectors, strict=True)))


SHARED = """05 FILLER. 10 NAMA PIC X(2). 10 JML PIC 9(2).
05 FILLER REDEFINES FILLER. 10 NAMA PIC X(3). 10 TIPE PIC X."""


@pytest.mark.parametrize(
    ("text", "data"),
    [
        (f"01 R. 05 KIND PIC X. {SHARED}", b"AXY12BXYZ1"),
        (f"01 R. {SHARED} 05 KIND PIC X.", b"XY12AXYZ1B"),
        (f"01 R. 05 KIND PIC X. {SHARED.replace('TIPE', 'JML')}", b"AXY12BXYZ1"),
        (f"01 R. {SHARED.replace('TIPE', 'JML')} 05 KIND PIC X.", b"XY12AXYZ1B"),
    ],
)
def test_variants_may_have_members_of_the_same_name(text: str, data: bytes) -> None:
    kind = with_variants(text)
    documents = decode_fixed(kind, data).documents()
    assert [each and each["nama"] for each in documents] == ["XY", "XYZ"]
    records = Encoder([kind], ASCII).encode([each or {} for each in documents], "test").records
    assert records == [data[:5], data[5:]]


def test_what_is_beside_variants_keeps_out_of_their_way() -> None:
    kind = with_variants(f"01 R. 05 KIND PIC X. {SHARED} 05 NAMA PIC X.")
    documents = decode_fixed(kind, b"AXY12PBXYZ1Q").documents()
    assert [each and (each["nama"], each["nama_2"]) for each in documents] == [
        ("XY", "P"), ("XYZ", "Q"),
    ]  # fmt: skip
