"""DISPLAY numbers in all four sign conventions."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.legacy_cobol.copybook.kinds import Encoding, Zoned, ZonedSigns
from adapters.legacy_cobol.fields.codes import FaultCode
from adapters.legacy_cobol.fields.policy import Form, Meaning, Policy
from tests.unit.legacy.fields.cells import ASCII, EBCDIC, read, write

TRANSLATED = replace(ASCII, zoned_signs=ZonedSigns.ASCII_TRANSLATED)
REALIA = replace(ASCII, zoned_signs=ZonedSigns.ASCII_REALIA)
ENCODINGS = {
    ZonedSigns.EBCDIC: EBCDIC,
    ZonedSigns.ASCII_TRANSLATED: TRANSLATED,
    ZonedSigns.ASCII_LETTERS: ASCII,
    ZonedSigns.ASCII_REALIA: REALIA,
}
S3 = Zoned(3, 0, signed=True)


@pytest.mark.parametrize(
    ("encoding", "kind", "cell", "value"),
    [
        (EBCDIC, Zoned(3), b"\xf1\xf2\xf3", 123),
        (EBCDIC, S3, b"\xf1\xf2\xc3", 123),
        (EBCDIC, S3, b"\xf1\xf2\xd3", -123),
        (EBCDIC, replace(S3, leading=True), b"\xd1\xf2\xf3", -123),
        (EBCDIC, replace(S3, separate=True), b"\xf1\xf2\xf3\x60", -123),
        (EBCDIC, replace(S3, separate=True, leading=True), b"\x4e\xf1\xf2\xf3", 123),
        (TRANSLATED, S3, b"12L", -123),
        (TRANSLATED, S3, b"12C", 123),
        (TRANSLATED, S3, b"00}", 0),
        (TRANSLATED, S3, b"12{", 120),
        (TRANSLATED, replace(S3, leading=True), b"J23", -123),
        (ASCII, S3, b"12s", -123),
        (ASCII, S3, b"123", 123),
        (ASCII, replace(S3, separate=True), b"123-", -123),
        (ASCII, replace(S3, separate=True, leading=True), b"+123", 123),
        (REALIA, S3, b"12#", -123),
        (REALIA, S3, b"12 ", -120),
        (ASCII, Zoned(8), b"20231105", 20231105),
        (ASCII, Zoned(17, 2, signed=True), b"1234567890123456w", "-123456789012345.67"),
        (ASCII, Zoned(38, 0), b"9" * 38, "9" * 38),
        (ASCII, Zoned(3, 5), b"123", "0.00123"),
        (ASCII, Zoned(3, -2), b"123", 12300),
    ],
)
def test_hand_checked(encoding: Encoding, kind: Zoned, cell: bytes, value: object) -> None:
    assert read(kind, cell, encoding=encoding) == [value]
    if value != 0:
        assert write(kind, value, encoding=encoding) == [cell]


def test_plus_and_minus_zones_of_ebcdic() -> None:
    cells = [bytes((0xF1, 0xF2, zone << 4 | 3)) for zone in range(16)]
    bad = [FaultCode.INVALID_SIGN] * 10
    assert read(S3, *cells) == [*bad, 123, -123, 123, -123, 123, 123]
    unsigned = read(Zoned(3), *cells)
    assert unsigned == [*[FaultCode.INVALID_DIGIT] * 15, 123]


def test_zero_is_written_with_plus() -> None:
    assert write(S3, 0) == [b"\xf0\xf0\xc0"]
    assert read(S3, b"\xf0\xf0\xd0") == [0]


def test_blank_when_zero() -> None:
    kind = Zoned(3, blank_when_zero=True)
    assert read(kind, b"   ", b"000", b"007", encoding=ASCII) == [0, 0, 7]
    assert write(kind, 0, 7, encoding=ASCII) == [b"   ", b"007"]


def test_blanks_and_fillings_by_policy() -> None:
    cells = (b"\x40" * 3, bytes(3), b"\xff" * 3, b"\x40\xf1\xf2")
    codes = [FaultCode.BLANK, FaultCode.LOW_VALUES, FaultCode.HIGH_VALUES, FaultCode.INVALID_DIGIT]
    assert read(Zoned(3), *cells) == codes
    policy = Policy(blanks=Meaning.NULL, low_values=Meaning.ZERO)
    assert read(Zoned(3), *cells, policy=policy) == [None, 0, *codes[2:]]
    assert write(Zoned(3), None, 5, policy=policy) == [b"\x40" * 3, b"\xf0\xf0\xf5"]


def test_realia_blanks_are_a_negative_zero_only_at_the_end() -> None:
    assert read(S3, b"   ", encoding=REALIA) == [FaultCode.BLANK]


def test_codes_keep_leading_zeros() -> None:
    policy = Policy(form=Form.CODE)
    assert read(Zoned(5), b"00042", encoding=ASCII, policy=policy) == ["00042"]
    assert write(Zoned(5), "00042", encoding=ASCII, policy=policy) == [b"00042"]


def test_refusals() -> None:
    assert write(Zoned(3), -1, 1000, "1.5", None, 1.0) == [
        FaultCode.NEGATIVE_UNSIGNED,
        FaultCode.OVERFLOW,
        FaultCode.FRACTION_LOST,
        FaultCode.NULL,
        FaultCode.WRONG_TYPE,
    ]


kinds = st.builds(
    lambda digits, signed, leading, separate: Zoned(
        digits, 0, signed, signed and leading, signed and separate
    ),
    st.integers(1, 38), st.booleans(), st.booleans(), st.booleans(),
)  # fmt: skip
conventions = st.sampled_from(sorted(ZonedSigns))


@given(st.data(), kinds, conventions)
def test_values_come_back(data: st.DataObject, kind: Zoned, signs: ZonedSigns) -> None:
    limit = 10**kind.digits - 1
    values = data.draw(st.lists(st.integers(-limit if kind.signed else 0, limit), min_size=1))
    policy, encoding = Policy(form=Form.SCALED), ENCODINGS[signs]
    cells = write(kind, *values, policy=policy, encoding=encoding)
    assert read(kind, *cells, policy=policy, encoding=encoding) == values


@given(st.data(), kinds, conventions)
def test_any_bytes_are_the_value_they_say_or_a_code(
    data: st.DataObject, kind: Zoned, signs: ZonedSigns
) -> None:
    """A good value written again differs at most in the byte of the sign."""
    cells = data.draw(st.lists(st.binary(min_size=kind.length, max_size=kind.length), min_size=1))
    policy, encoding = Policy(form=Form.SCALED), ENCODINGS[signs]
    sign_at = 0 if kind.leading else kind.length - 1
    for cell, value in zip(
        cells, read(kind, *cells, policy=policy, encoding=encoding), strict=True
    ):
        if not isinstance(value, FaultCode):
            (again,) = write(kind, value, policy=policy, encoding=encoding)
            different = [at for at in range(kind.length) if again[at] != cell[at]]
            assert set(different) <= ({sign_at} if kind.signed else set())


@pytest.mark.parametrize("signs", sorted(ZonedSigns))
@pytest.mark.parametrize("leading", [False, True])
@pytest.mark.parametrize("separate", [False, True])
def test_every_change_of_one_byte(signs: ZonedSigns, leading: bool, separate: bool) -> None:
    kind = Zoned(5, 2, True, leading, separate)
    encoding = ENCODINGS[signs]
    (cell,) = write(kind, "-123.45", encoding=encoding)
    changed = [
        cell[:at] + bytes((byte,)) + cell[at + 1 :]
        for at in range(len(cell)) for byte in range(256) if byte != cell[at]
    ]  # fmt: skip
    values = read(kind, *changed, encoding=encoding)
    good = [value for value in values if not isinstance(value, FaultCode)]
    assert len(good) == 9 * (kind.digits - (not separate)) + len(_signs(signs, separate)) - 1
    assert good.count("-123.45") == (1 if signs is ZonedSigns.EBCDIC and not separate else 0)


def _signs(signs: ZonedSigns, separate: bool) -> set[int]:
    """Bytes that may stand where the sign is."""
    if separate:
        return {0, 1}
    count = {ZonedSigns.EBCDIC: 60, ZonedSigns.ASCII_TRANSLATED: 30}.get(signs, 20)
    return set(range(count))
