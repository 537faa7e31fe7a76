"""COMP-3 and COMP-6."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.legacy_cobol.copybook.kinds import Packed
from adapters.legacy_cobol.fields.codes import FaultCode
from adapters.legacy_cobol.fields.policy import Form, Meaning, Policy
from tests.unit.legacy.fields.cells import ASCII, read, write

AMOUNT = Packed(digits=7, scale=2, signed=True)


@pytest.mark.parametrize(
    ("kind", "cell", "value"),
    [
        (AMOUNT, "1234567c", "12345.67"),
        (AMOUNT, "1234567d", "-12345.67"),
        (AMOUNT, "0000000c", "0.00"),
        (Packed(3, 0, True), "123f", 123),
        (Packed(3), "123f", 123),
        (Packed(3), "123c", 123),
        (Packed(4, 0, True), "01234d", -1234),
        (Packed(15, 0, True), "123456789012345d", -123456789012345),
        (Packed(16, 0, True), "01234567890123456c", "1234567890123456"),
        (Packed(18, 2, True), "0123456789012345678d", "-1234567890123456.78"),
        (Packed(31, 0, True), "1234567890" * 3 + "1c", "1234567890" * 3 + "1"),
        (Packed(38, 38, True), "0" + "9" * 38 + "d", "-0." + "9" * 38),
        (Packed(3, -2, True), "123c", 12300),
        (Packed(3, 5), "123f", "0.00123"),
        (Packed(4, sign_nibble=False), "1234", 1234),
        (Packed(5, sign_nibble=False), "012345", 12345),
        (Packed(18, sign_nibble=False), "123456789012345678", "123456789012345678"),
    ],
)
def test_hand_checked(kind: Packed, cell: str, value: object) -> None:
    raw = bytes.fromhex(cell)
    assert read(kind, raw) == [value]
    if not kind.sign_nibble or cell[-1] in ("cd" if kind.signed else "f"):
        assert write(kind, value) == [raw]


def test_every_sign_nibble() -> None:
    cells = [bytes((0x12, 0x30 | nibble)) for nibble in range(16)]
    plus, minus = 123, -123
    expected = [*[FaultCode.INVALID_SIGN] * 10, plus, minus, plus, minus, plus, plus]
    assert read(Packed(3, 0, True), *cells) == expected
    unsigned = [FaultCode.NEGATIVE_UNSIGNED if value == minus else value for value in expected]
    assert read(Packed(3), *cells) == unsigned


def test_only_preferred_signs_when_declared() -> None:
    cells = [bytes((0x12, 0x30 | nibble)) for nibble in range(10, 16)]
    odd = FaultCode.NON_PREFERRED_SIGN
    found = read(Packed(3, 0, True), *cells, policy=Policy(preferred_signs=True))
    assert found == [odd, odd, 123, -123, odd, 123]


def test_a_digit_more_than_the_picture_is_an_error() -> None:
    assert read(Packed(4, 0, True), bytes.fromhex("91234c")) == [FaultCode.OUT_OF_RANGE]
    assert read(Packed(5, sign_nibble=False), bytes.fromhex("112345")) == [FaultCode.OUT_OF_RANGE]


def test_blanks_and_fillings_by_policy() -> None:
    cells = (b"\x40" * 4, bytes(4), b"\xff" * 4)
    assert read(AMOUNT, *cells) == [FaultCode.BLANK, FaultCode.LOW_VALUES, FaultCode.HIGH_VALUES]
    lenient = Policy(blanks=Meaning.ZERO, low_values=Meaning.NULL, high_values=Meaning.NULL)
    assert read(AMOUNT, *cells, policy=lenient) == ["0.00", None, None]
    assert write(AMOUNT, None, policy=lenient) == [bytes(4)]
    assert read(AMOUNT, b"\x20" * 4, encoding=ASCII) == [FaultCode.BLANK]
    with pytest.raises(ValueError, match="not numbers"):
        read(AMOUNT, bytes(4), policy=Policy(blanks=Meaning.KEEP))


def test_refusals() -> None:
    refused = write(AMOUNT, "100000.00", Decimal("1.005"), 1.5, "abc", None, True, Decimal("NaN"))
    assert refused == [
        FaultCode.OVERFLOW,
        FaultCode.FRACTION_LOST,
        FaultCode.WRONG_TYPE,
        FaultCode.WRONG_TYPE,
        FaultCode.NULL,
        FaultCode.WRONG_TYPE,
        FaultCode.WRONG_TYPE,
    ]
    assert write(Packed(3), -1, 10**30, 999) == [
        FaultCode.NEGATIVE_UNSIGNED, FaultCode.OVERFLOW, bytes.fromhex("999f"),
    ]  # fmt: skip
    monsters = ["9" * 5000, Decimal("1E+999999"), "1." + "0" * 300 + "1", Decimal("1E-999999")]
    assert write(AMOUNT, *monsters) == [FaultCode.OVERFLOW] * 2 + [FaultCode.FRACTION_LOST] * 2
    assert write(AMOUNT, "+1.5", "1.50", "-0.00", "1.", ".5", "١", " 1", "1e1") == [
        *[bytes.fromhex("0000150c")] * 2, bytes.fromhex("0000000c"), *[FaultCode.WRONG_TYPE] * 5,
    ]  # fmt: skip


def test_forms() -> None:
    cell = bytes.fromhex("0012345c")
    forms = [read(AMOUNT, cell, policy=Policy(form=form))[0] for form in Form]
    assert forms == ["123.45", "123.45", Decimal("123.45"), 12345, "0012345"]
    for form, value in zip(Form, forms, strict=True):
        assert write(AMOUNT, value, policy=Policy(form=form)) == [cell]


kinds = st.builds(
    lambda digits, scale, signed, nibble: Packed(digits, scale, signed and nibble, nibble),
    st.integers(1, 38), st.integers(0, 5), st.booleans(), st.booleans(),
)  # fmt: skip


@given(st.data(), kinds)
def test_values_come_back(data: st.DataObject, kind: Packed) -> None:
    limit = 10**kind.digits - 1
    values = data.draw(st.lists(st.integers(-limit if kind.signed else 0, limit), min_size=1))
    policy = Policy(form=Form.SCALED)
    assert read(kind, *write(kind, *values, policy=policy), policy=policy) == values


@given(st.data(), kinds)
def test_any_bytes_are_a_value_or_a_code(data: st.DataObject, kind: Packed) -> None:
    cells = data.draw(st.lists(st.binary(min_size=kind.length, max_size=kind.length), min_size=1))
    for cell, value in zip(cells, read(kind, *cells), strict=True):
        text = cell.hex()
        digits, sign = (text[:-1], text[-1]) if kind.sign_nibble else (text, "f")
        good = digits.isdecimal() and sign in "abcdef"
        good = good and (kind.signed or sign not in "bd")
        good = good and int(digits) < 10**kind.digits
        assert isinstance(value, FaultCode) != good


def test_every_change_of_one_byte() -> None:
    """Another valid value, the same value with another sign nibble, or a code."""
    cell = bytes.fromhex("1234567c")
    changed = [
        cell[:at] + bytes((byte,)) + cell[at + 1 :]
        for at in range(len(cell)) for byte in range(256) if byte != cell[at]
    ]  # fmt: skip
    values = read(AMOUNT, *changed)
    for raw, value in zip(changed, values, strict=True):
        valid = raw.hex()[:7].isdecimal() and raw.hex()[7] in "abcdef"
        assert valid != isinstance(value, FaultCode)
        if valid and raw.hex()[7] in "cd":
            assert write(AMOUNT, value) == [raw]
