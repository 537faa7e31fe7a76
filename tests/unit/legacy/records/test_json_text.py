"""JSON of columns: the same whether a text is plain or not, in every code page."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.legacy_cobol.copybook.kinds import Encoding
from adapters.legacy_cobol.fields.codepages import code_page, known
from adapters.legacy_cobol.fields.policy import Meaning, Policy, Trim
from adapters.legacy_cobol.records import json_text
from adapters.legacy_cobol.records.chunk_reader import chunk_of
from adapters.legacy_cobol.records.decoded import Decoded
from adapters.legacy_cobol.records.decoder import Decoder
from adapters.legacy_cobol.records.framing import Fixed, Framing
from adapters.legacy_cobol.records.json_text import JsonText
from adapters.legacy_cobol.records.spelling import UTF_8, plain
from tests.unit.legacy.records.files import EBCDIC, a_type, decode_fixed

PAGES = [*sorted(known()), "ascii", "latin-1", "cp1252", "cp850", "koi8-r", "hp-roman8"]
COPYBOOK = "01 R. 05 A PIC X(9). 05 N PIC S9(9)V99 COMP-3. 05 B PIC X(2) OCCURS 2. 05 C PIC 9(5)."
PLAIN = "ABCXYZabcxyz0189 .,-+/ "
OTHER = 'é"ß§ñ€\\~ñЖ'
TEXTS = st.lists(st.text(PLAIN, max_size=13) | st.text(PLAIN + OTHER, max_size=13), min_size=1)


def encoding(page: str) -> Encoding:
    return replace(EBCDIC, code_page=page)


def a_record(text: str, number: int, page: str) -> bytes:
    raw = "".join(each if in_page(each, page) else "?" for each in text).ljust(13)
    packed = bytes.fromhex(f"{abs(number):011}{'d' if number < 0 else 'c'}")
    cell = raw_of(raw, page)
    digits = f"{abs(number) % 100_000:05}".encode("cp037")
    return cell[:9] + packed + cell[9:] + digits


def raw_of(text: str, page: str) -> bytes:
    found = code_page(page)
    assert found is not None
    return found.encode(text)


def in_page(character: str, page: str) -> bool:
    found = code_page(page)
    return found is not None and character in found.alphabet


def expected(decoded: Decoded) -> bytes:
    """The lines, from the documents."""
    documents = [each for each in decoded.documents() if each is not None]
    lines = (json.dumps(each, ensure_ascii=False, separators=(",", ":")) for each in documents)
    return "".join(f"{line}\n" for line in lines).encode()


@given(
    TEXTS,
    st.sampled_from(PAGES),
    st.sampled_from(Trim),
    st.sampled_from([Meaning.KEEP, Meaning.NULL]),
    st.integers(-99_999_999_999, 99_999_999_999),
)
def test_every_line_is_the_json_of_its_document(
    texts: list[str], page: str, trim: Trim, blanks: Meaning, number: int
) -> None:
    kind = a_type(COPYBOOK, policies={("R", "A"): Policy(trim=trim, blanks=blanks)})
    data = b"".join(a_record(text, number // (at + 1), page) for at, text in enumerate(texts))
    decoded = decode_fixed(kind, data, encoding(page))
    assert not decoded.faults
    assert decoded.ndjson() == expected(decoded)


@pytest.mark.parametrize("page", PAGES)
def test_pages_have_a_spelling_for_plain_text(page: str) -> None:
    """Otherwise their files are slow."""
    found = code_page(page)
    assert found is not None
    spelling = plain(found)
    assert spelling is not None
    assert spelling.read is not None
    text = ('{"' + PLAIN.strip() + '_":[-1.5],"x":""}\n').encode()
    assert text.translate(spelling.write).translate(spelling.read) == text


def test_other_text_is_found_in_the_midst_of_plain_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_text, "_PATIENCE", 2)
    spelled: list[bool] = []

    def spy(text: JsonText, pieces: Any, count: int) -> bytes:
        spelled.append(text.spelling is UTF_8)
        return original(text, pieces, count)

    original = json_text._text
    monkeypatch.setattr(json_text, "_text", spy)
    kind = a_type(COPYBOOK)
    decoder = Decoder([kind], EBCDIC)
    for text in ("SITI", 'SITI "N"', "BUDI", "é", "AGUS", "DEWI", "RINI"):
        data = a_record("TONO", 1, "cp037") + a_record(text, 2, "cp037")
        decoded = decoder.decode(chunk_of(data, Framing(Fixed(kind.record.maximum_length))))
        assert decoded.ndjson() == expected(decoded)
    assert spelled == [False, False, True, True, False, True, True, False, False]


@pytest.mark.parametrize("width", [1, 8, 128, 129, 1000])
def test_texts_of_every_length_are_trimmed(width: int) -> None:
    texts = ["x" * length for length in {0, 1, width // 2, width - 1, width}] + [
        " " * (width - 1) + "x"
    ]
    data = b"".join(text.ljust(width).encode("cp037") for text in texts)
    decoded = decode_fixed(a_type(f"01 R. 05 A PIC X({width})."), data, EBCDIC)
    assert decoded.documents() == [{"a": text} for text in texts]
    assert decoded.ndjson() == expected(decoded)


@pytest.mark.parametrize("filling", [b"\x00", b"\xff"])
@pytest.mark.parametrize("text", ["SITI", "SITé", "\x05"])
def test_nulls_stand_beside_plain_and_other_text(filling: bytes, text: str) -> None:
    policy = Policy(low_values=Meaning.NULL, high_values=Meaning.NULL, controls=True)
    data = filling * 5 + text.ljust(5).encode("cp037")
    decoded = decode_fixed(a_type("01 R. 05 A PIC X(5).", policy=policy), data, EBCDIC)
    assert decoded.documents() == [{"a": None}, {"a": text}]
    assert decoded.ndjson() == expected(decoded)


def test_control_characters_that_are_kept_stay_in_the_text() -> None:
    """Also those that stand for quotes and line ends of plain text."""
    kind = a_type("01 R. 05 A PIC X(4).", policy=Policy(controls=True))
    for byte in range(256):
        raw = bytes((0xC1, byte, 0xC2, 0x40))
        decoded = decode_fixed(kind, raw, EBCDIC)
        assert decoded.ndjson() == expected(decoded)
