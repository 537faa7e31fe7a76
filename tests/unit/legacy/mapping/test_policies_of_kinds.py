"""A policy for all fields, or for those of one kind, has no effect on the others."""

import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from adapters.legacy_cobol.mapping.layout_file import Layout, layout_of
from adapters.legacy_cobol.mapping.section import LayoutError
from adapters.legacy_cobol.records.chunk_reader import chunk_of
from adapters.legacy_cobol.records.decoder import Decoder
from adapters.legacy_cobol.records.encoder import Encoder
from adapters.legacy_cobol.records.framing import Fixed, Framing

COPYBOOK = """01 R.
   05 NAMA PIC X(2).
   05 JML PIC S9(4) COMP.
   05 SEL PIC S9(4) COMP.
   05 Z PIC 9(2).
   05 P PIC S9(3) COMP-3.
   05 E PIC Z9.99.
"""
BASE = 'copybook = "r.cpy"\nform = "free"\n'
CELLS = ("4142", "0001", "0002", "3037", "123c", "20312e3530")
GOOD = {"nama": "AB", "jml": 1, "sel": 2, "z": 7, "p": 123, "e": "1.50"}


def layout(folder: Path, text: str) -> Layout:
    (folder / "r.cpy").write_text(COPYBOOK)
    ascii_ = '[encoding]\ncode_page = "ascii"\nzoned_signs = "ascii-letters"\n'
    return layout_of(tomllib.loads(BASE + ascii_ + text, parse_float=Decimal), folder)


@pytest.mark.parametrize(
    ("text", "cells", "changed"),
    [
        ('[policy]\nlow_values = "null"\nhigh_values = "null"', {0: "0000", 1: "0000", 2: "ffff"},
         {"nama": None, "jml": 0, "sel": -1}),
        ('[policy]\nlow_values = "zero"', {1: "0000", 3: "0000", 4: "0000"},
         {"jml": 0, "z": 0, "p": 0}),
        ('[policy]\nblanks = "null"', {0: "2020", 3: "2020", 5: "2020202020"},
         {"nama": None, "z": None, "e": None}),
        ('[policy.edited]\nblanks = "null"', {0: "2020", 5: "2020202020"}, {"nama": "", "e": None}),
        ('[policy.text]\nlow_values = "null"', {0: "0000", 1: "0000"}, {"nama": None, "jml": 0}),
        ('[policy.text]\npadding = "nul"', {0: "4100", 1: "0000"}, {"nama": "A", "jml": 0}),
        ('[policy.binary]\nhigh_values = "null"', {1: "ffff", 2: "ffff"},
         {"jml": None, "sel": None}),
        ('[policy]\nblanks = "null"\n[policy.zoned]\nblanks = "zero"', {0: "2020", 3: "2020"},
         {"nama": None, "z": 0}),
        ('[[records]]\n[records.fields.JML]\nlow_values = "null"', {1: "0000", 2: "0000"},
         {"jml": None, "sel": 0}),
        ('[policy]\nlow_values = "null"\n[[records]]\n[records.fields.JML]\nhigh_values = "null"',
         {1: "0000", 2: "ffff"}, {"jml": 0, "sel": -1}),
        ('[policy]\nblanks = "null"', {1: "7fff"}, None),
        ('[policy]\nlow_values = "null"\n[[records]]\n[records.fields.JML]\nname = "n"',
         {0: "0000", 1: "0000"}, {"nama": None, "jml": 0}),
    ],
)  # fmt: skip
def test_what_a_policy_reads(
    tmp_path: Path, text: str, cells: dict[int, str], changed: dict[str, Any] | None
) -> None:
    found = layout(tmp_path, text)
    types = [each.type for each in found.records]
    raw = bytes.fromhex("".join(cells.get(at, each) for at, each in enumerate(CELLS)))
    decoder = Decoder(types, found.encoding)
    decoded = decoder.decode(chunk_of(raw, Framing(Fixed(len(raw)))))
    (document,) = decoded.documents()
    if changed is None:
        assert document is None
        return
    assert not decoded.faults
    expected = {**GOOD, **changed}
    assert {"jml" if name == "n" else name: each for name, each in (document or {}).items()} == (
        expected
    )
    assert Encoder(types, found.encoding).encode([document or {}], "r", [raw]).records == [raw]


def test_a_field_that_declares_what_its_kind_cannot_have_is_refused(tmp_path: Path) -> None:
    found = layout(tmp_path, '[[records]]\n[records.fields.NAMA]\nblanks = "zero"')
    with pytest.raises(ValueError, match="text has no zero"):
        Decoder([each.type for each in found.records], found.encoding)


def test_an_unknown_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LayoutError, match=r"policy\.texts: unknown key. Perhaps you mean text"):
        layout(tmp_path, '[policy.texts]\nblanks = "null"')


def test_a_list_of_segments_is_no_other_member(tmp_path: Path) -> None:
    segments = '[[records]]\nname = "a"\n[[records]]\nname = "b"\nparent = "a"\nlist = "nama"\n'
    with pytest.raises(LayoutError, match="a has another member 'nama'"):
        layout(tmp_path, segments)
    again = segments.replace('"nama"', '"x"') + '[[records]]\nname="c"\nparent="a"\nlist="x"\n'
    with pytest.raises(LayoutError, match="a has another member 'x'"):
        layout(tmp_path, again)
