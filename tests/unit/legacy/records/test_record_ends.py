"""Records that end earlier or later than their layout says."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from adapters.legacy_cobol.fields.codes import FaultCode
from adapters.legacy_cobol.mapping.codecs import decoder_of, encoder_of
from adapters.legacy_cobol.mapping.layout_file import Layout, layout_of
from adapters.legacy_cobol.mapping.section import LayoutError
from adapters.legacy_cobol.records.chunk_reader import chunk_of
from adapters.legacy_cobol.records.decoded import Decoded
from adapters.legacy_cobol.records.encoder import originals_needed
from adapters.legacy_cobol.records.frame_writer import frame_records
from adapters.legacy_cobol.schema.derive import derive

COUNTED = "01 R. 05 N PIC 9. 05 T PIC X(2) OCCURS 0 TO 3 DEPENDING ON N."
SHARED = "01 R. 05 T PIC X. 05 A PIC X(6). 05 B REDEFINES A PIC X(3)."
CHOICE = """[[records]]
[records.variants.A]
when = [{ field = "T", values = ["A"] }]
[records.variants.B]
when = [{ field = "T", values = ["B"] }]
"""
TAIL = "01 R. 05 A PIC X(2). 05 G. 10 B PIC 9. 10 C PIC X(2). 05 D OCCURS 2 PIC 9. 05 FILLER PIC X."
OPTIONAL = '[[records]]\noptional = "G.C"\n'
RDW, FIXED = '[framing]\nkind = "rdw"\n', '[framing]\nkind = "fixed"\n'
ANY = f'{FIXED}rest = "any"\n'
EMPTY = f"[dialect]\nempty_tables = true\n{RDW}"


@dataclass
class File:
    """A layout, and a decoded file with these records."""

    layout: Layout
    decoded: Decoded

    @staticmethod
    def of(folder: Path, copybook: str, text: str, *records: bytes) -> "File":
        (folder / "a.cpy").write_text(copybook)
        head = 'copybook = "a.cpy"\nform = "free"\n'
        encoding = '[encoding]\ncode_page = "ascii"\nzoned_signs = "ascii-letters"\n'
        layout = layout_of(tomllib.loads(head + encoding + text), folder)
        assert layout.framing is not None
        data = b"".join(frame_records(records, layout.framing.body))
        decoder = decoder_of(layout, layout.framing)
        return File(layout, decoder.decode(chunk_of(data, layout.framing)))

    @property
    def found(self) -> list[Any]:
        """Each document, or the code of the fault."""
        documents = self.decoded.documents()
        return [
            self.decoded.faults[at][0].code if each is None else each
            for at, each in enumerate(documents)
        ]

    def again(self) -> list[bytes | None]:
        """The records of the documents, with their originals where these are needed."""
        assert self.layout.framing is not None
        encoder = encoder_of(self.layout, self.layout.framing)
        documents = [each or {} for each in self.decoded.documents()]
        originals = originals_needed(self.decoded, encoder)
        return encoder.encode(documents, "r", originals).records


LENGTH = FaultCode.RECORD_LENGTH


@pytest.mark.parametrize(
    ("copybook", "text", "records", "found"),
    [
        (COUNTED, FIXED, [b"1AB    ", b"2ABCD  ", b"3ABCDEF", b"0      "],
         [{"n": 1, "t": ["AB"]}, {"n": 2, "t": ["AB", "CD"]}, {"n": 3, "t": ["AB", "CD", "EF"]},
          {"n": 0, "t": []}]),
        (COUNTED, FIXED, [b"1AB\0\0\0\0", b"1AB \0 \0", b"1ABCD  "],
         [{"n": 1, "t": ["AB"]}, {"n": 1, "t": ["AB"]}, LENGTH]),
        (COUNTED, ANY, [b"1ABCDEF", b"0xxxxxx"], [{"n": 1, "t": ["AB"]}, {"n": 0, "t": []}]),
        (COUNTED, '[framing]\nkind = "fixed-blocked"\nblock = 20\n', [b"1AB    ", b"2ABCD  "],
         [{"n": 1, "t": ["AB"]}, {"n": 2, "t": ["AB", "CD"]}]),
        (COUNTED, FIXED + "length = 10\n", [b"3ABCDEF   "], [{"n": 3, "t": ["AB", "CD", "EF"]}]),
        (COUNTED, RDW, [b"1AB", b"1AB    "], [{"n": 1, "t": ["AB"]}, LENGTH]),
        ("01 R. 05 A PIC X(3).", FIXED + "length = 5\n", [b"abc  ", b"abcde"],
         [{"a": "abc"}, LENGTH]),
        (SHARED, CHOICE + RDW, [b"A123456", b"B123", b"B123   ", b"A123", b"B12", b"B1234"],
         [{"t": "A", "a": "123456"}, {"t": "B", "b": "123"}, {"t": "B", "b": "123"},
          LENGTH, LENGTH, LENGTH]),
        (SHARED, RDW, [b"A123456", b"B123"], [{"t": "A", "a": "123456"}, LENGTH]),
        ("01 R. 05 B PIC X(3). 05 A REDEFINES B PIC X(6).", RDW, [b"123", b"123456", b"1234"],
         [{"b": "123"}, {"b": "123"}, LENGTH]),
        (TAIL, OPTIONAL + RDW,
         [b"ab1", b"ab1cd", b"ab1cd12", b"ab1cd12x", b"ab", b"ab1c", b"ab1cd1"],
         [{"a": "ab", "g": {"b": 1}}, {"a": "ab", "g": {"b": 1, "c": "cd"}},
          {"a": "ab", "g": {"b": 1, "c": "cd"}, "d": [1, 2]},
          {"a": "ab", "g": {"b": 1, "c": "cd"}, "d": [1, 2]}, LENGTH, LENGTH, LENGTH]),
        (TAIL, RDW, [b"ab1"], [LENGTH]),
        (TAIL, '[[records]]\noptional = "G"\n' + RDW, [b"ab", b"ab1cd"],
         [{"a": "ab"}, {"a": "ab", "g": {"b": 1, "c": "cd"}}]),
        ("01 R. 05 A PIC X. 05 FILLER PIC X(3).", '[[records]]\noptional = "FILLER"\n' + RDW,
         [b"a", b"a123", b"a1"], [{"a": "a"}, {"a": "a"}, LENGTH]),
        (COUNTED.replace("0 TO", "1 TO"), EMPTY, [b"0", b"1AB"],
         [{"n": 0, "t": []}, {"n": 1, "t": ["AB"]}]),
        (COUNTED.replace("0 TO", "1 TO"), RDW, [b"0"], [FaultCode.COUNTER_OUT_OF_RANGE]),
    ],
)  # fmt: skip
def test_where_records_end(
    tmp_path: Path, copybook: str, text: str, records: list[bytes], found: list[Any]
) -> None:
    file = File.of(tmp_path, copybook, text, *records)
    assert file.found == found
    again = file.again()
    for at, each in enumerate(found):
        if not isinstance(each, FaultCode):
            assert again[at] == records[at]


@pytest.mark.parametrize(
    ("copybook", "text", "document", "record"),
    [
        (COUNTED, FIXED, {"n": 1, "t": ["AB"]}, b"1AB    "),
        (SHARED, CHOICE + RDW, {"t": "B", "b": "123"}, b"B123   "),
        (TAIL, OPTIONAL + RDW, {"a": "ab", "g": {"b": 1}}, b"ab1"),
        (TAIL, OPTIONAL + RDW, {"a": "ab", "g": {"b": 1, "c": "c"}}, b"ab1c "),
        (TAIL, OPTIONAL + RDW, {"a": "ab", "g": {"b": 1, "c": "c"}, "d": [1, 2]}, b"ab1c 12 "),
        (TAIL, OPTIONAL + RDW, {"a": "ab", "g": {"b": 1}, "d": [1, 2]}, FaultCode.MISSING),
        (TAIL, OPTIONAL + RDW, {"a": "ab"}, FaultCode.MISSING),
    ],
)
def test_what_is_written_without_an_original(
    tmp_path: Path, copybook: str, text: str, document: dict[str, Any], record: bytes | FaultCode
) -> None:
    layout = File.of(tmp_path, copybook, text).layout
    assert layout.framing is not None
    encoded = encoder_of(layout, layout.framing).encode([document], "r")
    assert (encoded.records[0] or encoded.faults[0][0].code) == record


def test_a_change_leaves_the_rest_of_a_record_alone(tmp_path: Path) -> None:
    layout = File.of(tmp_path, COUNTED, ANY).layout
    assert layout.framing is not None
    encoder = encoder_of(layout, layout.framing)
    changed = encoder.encode([{"n": 1, "t": ["XY"]}], "r", [b"1ABCDEF"])
    assert changed.records == [b"1XYCDEF"]
    longer = encoder.encode([{"n": 2, "t": ["XY", "Z"]}], "r", [b"1ABCDEF"])
    assert longer.records == [b"2XYZ   "]


def test_faults_say_what_to_declare(tmp_path: Path) -> None:
    file = File.of(tmp_path, TAIL, OPTIONAL + RDW, b"ab", b"ab1c")
    texts = [str(file.decoded.faults[at][0]) for at in (0, 1)]
    assert "2 bytes, but the layout has 8; it ends before G" in texts[0]
    assert "4 bytes, but the layout has 8; it ends inside C" in texts[1]
    assert "declare the first of them as optional" in texts[0]
    file = File.of(tmp_path, COUNTED, FIXED, b"1ABCD  ")
    assert "the 4 bytes after the last item are no padding" in str(file.decoded.faults[0][0])
    file = File.of(tmp_path, SHARED, CHOICE + RDW, b"A123")
    assert "does not end with A, which its fields select" in str(file.decoded.faults[0][0])
    file = File.of(tmp_path, COUNTED.replace("0 TO", "1 TO"), RDW, b"0")
    assert "declare empty_tables" in str(file.decoded.faults[0][0])


def test_optional_members_are_not_required_by_the_schema(tmp_path: Path) -> None:
    schema = derive(File.of(tmp_path, TAIL, OPTIONAL + RDW).layout)
    assert schema["required"] == ["a", "g"]
    assert schema["properties"]["g"]["required"] == ["b"]
    tables = derive(File.of(tmp_path, COUNTED.replace("0 TO", "1 TO"), EMPTY).layout)
    assert tables["properties"]["t"]["minItems"] == 0


def test_an_item_in_a_table_cannot_be_the_first_that_is_missing(tmp_path: Path) -> None:
    copybook = "01 R. 05 A OCCURS 2. 10 B PIC X. 05 C PIC X."
    with pytest.raises(LayoutError, match=r"records\[1\]\.optional: B is in a table"):
        File.of(tmp_path, copybook, '[[records]]\noptional = "B"\n' + RDW)
    with pytest.raises(LayoutError, match=r"records\[1\]\.optional.*0 items"):
        File.of(tmp_path, copybook, '[[records]]\noptional = "Z"\n' + RDW)
