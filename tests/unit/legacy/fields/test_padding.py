"""Text padded with X'00': a policy of its own, in which nothing is lost."""

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.legacy_cobol.copybook.kinds import Binary, ByteOrder, Encoding, National, Text
from adapters.legacy_cobol.fields.codes import FaultCode
from adapters.legacy_cobol.fields.policy import Meaning, Padding, Policy, Trim
from adapters.legacy_cobol.records.encoder import Encoder, originals_needed
from tests.unit.legacy.fields.cells import ASCII, EBCDIC, read, write
from tests.unit.legacy.records.files import a_type, decode_fixed

NUL = Policy(padding=Padding.NUL)
EXACT = replace(NUL, trim=Trim.NONE)


@pytest.mark.parametrize(
    ("policy", "justified", "cell", "text"),
    [
        (NUL, False, "C1C200000000", "AB"),
        (NUL, False, "C1C240400000", "AB"),
        (NUL, False, "C1C200004040", "AB"),
        (NUL, False, "C1C240404040", "AB"),
        (NUL, False, "000000000000", ""),
        (NUL, False, "404040404040", ""),
        (NUL, False, "C1C2C3C4C5C6", "ABCDEF"),
        (NUL, False, "C1C2000000C3", FaultCode.CONTROL_CHARACTER),
        (NUL, False, "00C1C2000000", FaultCode.CONTROL_CHARACTER),
        (NUL, True, "00000000C1C2", "AB"),
        (NUL, True, "C1C200000000", FaultCode.CONTROL_CHARACTER),
        (EXACT, False, "C1C240400000", "AB  "),
        (EXACT, False, "C1C200000000", "AB"),
        (EXACT, False, "C1C200004040", FaultCode.CONTROL_CHARACTER),
        (EXACT, True, "00004040C1C2", "  AB"),
        (EXACT, False, "404040404040", "      "),
        (EXACT, False, "000000000000", ""),
        (replace(NUL, trim=Trim.BOTH), False, "40C1C2000000", "AB"),
        (replace(NUL, low_values=Meaning.NULL), False, "000000000000", None),
        (replace(NUL, low_values=Meaning.NULL), False, "C10000000000", "A"),
        (replace(NUL, low_values=Meaning.ERROR), False, "000000000000", FaultCode.LOW_VALUES),
        (replace(NUL, blanks=Meaning.NULL), False, "404040404040", None),
        (Policy(), False, "C1C200000000", FaultCode.CONTROL_CHARACTER),
        (Policy(), False, "000000000000", FaultCode.LOW_VALUES),
    ],
)
def test_a_text(policy: Policy, justified: bool, cell: str, text: str | FaultCode | None) -> None:
    found = read(Text(6, justified), bytes.fromhex(cell), policy=policy)
    assert found == [text]
    assert "\0" not in str(found)


@pytest.mark.parametrize(
    ("policy", "text", "cell"),
    [
        (NUL, "AB", "C1C200000000"),
        (NUL, "", "000000000000"),
        (NUL, "A B", "C140C2000000"),
        (EXACT, "AB  ", "C1C240400000"),
        (EXACT, "", "000000000000"),
    ],
)
def test_short_text_is_written_with_nul(policy: Policy, text: str, cell: str) -> None:
    assert write(Text(6), text, policy=policy) == [bytes.fromhex(cell)]
    assert write(Text(6, justified=True), "AB", policy=policy)[0] == b"\0\0\0\0\xc1\xc2"


def test_a_text_with_nul_is_refused() -> None:
    for policy, text in product((NUL, EXACT), ("A\0B", "AB\0")):
        assert write(Text(6), text, policy=policy) == [FaultCode.CONTROL_CHARACTER]


@pytest.mark.parametrize("order", ["big", "little"])
def test_national_text(order: str) -> None:
    encoding = Encoding(byte_order=ByteOrder(order))
    cell = "é".encode("utf-16-le" if order == "little" else "utf-16-be") + bytes(4)
    assert read(National(3), cell, encoding=encoding, policy=NUL) == ["é"]
    assert write(National(3), "é", encoding=encoding, policy=NUL) == [cell]
    assert read(National(3), cell, encoding=encoding) == [FaultCode.CONTROL_CHARACTER]


def test_a_page_with_several_bytes_per_character() -> None:
    encoding = replace(ASCII, code_page="shift_jis")
    cell = "漢".encode("shift_jis") + bytes(2)
    assert read(Text(4), cell, encoding=encoding, policy=NUL) == ["漢"]
    assert write(Text(4), "漢", encoding=encoding, policy=NUL)[0][2:] == bytes(2)


def test_a_binary_zero_is_zero() -> None:
    assert read(Binary(4, 2, signed=True), bytes(2), policy=NUL) == [0]


PADDED = st.lists(
    st.tuples(st.text("AB c", max_size=5), st.sampled_from("\0 ")), min_size=1, max_size=8
)


@given(PADDED, st.sampled_from(Trim), st.sampled_from(Padding), st.booleans())
def test_records_come_back_under_every_policy(
    cells: list[tuple[str, str]], trim: Trim, padding: Padding, justified: bool
) -> None:
    just = " JUST RIGHT" if justified else ""
    policy = Policy(trim=trim, padding=padding, low_values=Meaning.NULL)
    kind = a_type(f"01 R. 05 A PIC X(5){just}. 05 B PIC S9(4) COMP.", policy=policy)
    side = str.rjust if justified else str.ljust
    data = b"".join(side(text, 5, fill).encode("cp037") + bytes(2) for text, fill in cells)
    decoded = decode_fixed(kind, data, encoding=EBCDIC)
    encoder = Encoder([kind], EBCDIC)
    originals = originals_needed(decoded, encoder)
    for at, document in enumerate(decoded.documents()):
        if document is None:
            assert decoded.faults[at]
            continue
        assert document["b"] == 0
        record = data[7 * at : 7 * at + 7]
        assert encoder.encode([document], "test", [originals[at]]).records == [record]
