"""COMP, COMP-4, COMP-5 and BINARY."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.legacy_cobol.copybook.kinds import Binary, ByteOrder, Encoding
from adapters.legacy_cobol.fields.codes import FaultCode
from adapters.legacy_cobol.fields.policy import Form, Meaning, Policy
from tests.unit.legacy.fields.cells import EBCDIC, read, write

LITTLE = replace(EBCDIC, byte_order=ByteOrder.LITTLE, native_order=ByteOrder.LITTLE)
MIXED = replace(EBCDIC, native_order=ByteOrder.LITTLE)


@pytest.mark.parametrize(
    ("encoding", "kind", "cell", "value"),
    [
        (EBCDIC, Binary(4, 2), "04d2", 1234),
        (EBCDIC, Binary(4, 2, signed=True), "fb2e", -1234),
        (LITTLE, Binary(4, 2, signed=True), "2efb", -1234),
        (EBCDIC, Binary(9, 4, 2, signed=True), "ffffff9c", "-1.00"),
        (EBCDIC, Binary(18, 8, signed=True), "f21f494c589c0001", str(-(10**18 - 1))),
        (EBCDIC, Binary(2, 1), "63", 99),
        (EBCDIC, Binary(8, 3, signed=True), "ff0000", -65536),
        (EBCDIC, Binary(4, 2, native=True), "ffff", 65535),
        (MIXED, Binary(4, 2, native=True), "feff", 65534),
        (EBCDIC, Binary(18, 8, native=True), "f" * 16, str(2**64 - 1)),
        (EBCDIC, Binary(38, 16, signed=True), "f" * 31 + "e", "-2"),
        (LITTLE, Binary(38, 16), "02" + "0" * 30, "2"),
    ],
)
def test_hand_checked(encoding: Encoding, kind: Binary, cell: str, value: object) -> None:
    raw = bytes.fromhex(cell)
    assert read(kind, raw, encoding=encoding) == [value]
    assert write(kind, value, encoding=encoding) == [raw]


def test_more_digits_than_the_picture() -> None:
    kind = Binary(4, 2, signed=True)
    assert read(kind, b"\x27\x0f", b"\x27\x10", b"\xd8\xf1", b"\xd8\xf0") == [
        9999, FaultCode.OUT_OF_RANGE, -9999, FaultCode.OUT_OF_RANGE,
    ]  # fmt: skip
    assert read(replace(kind, native=True), b"\x27\x10") == [10000]


def test_fillings_are_numbers_unless_declared() -> None:
    kind = Binary(4, 2)
    assert read(kind, bytes(2)) == [0]
    assert read(kind, bytes(2), b"\x00\x01", policy=Policy(low_values=Meaning.NULL)) == [None, 1]


def test_refusals() -> None:
    assert write(Binary(4, 2), -1, 10_000, 9_999) == [
        FaultCode.NEGATIVE_UNSIGNED, FaultCode.OVERFLOW, b"\x27\x0f",
    ]  # fmt: skip
    native = Binary(4, 2, signed=True, native=True)
    assert write(native, 32_767, 32_768, -32_768, -32_769) == [
        b"\x7f\xff", FaultCode.OVERFLOW, b"\x80\x00", FaultCode.OVERFLOW,
    ]  # fmt: skip


kinds = st.builds(
    lambda length, signed, native: Binary(
        min(38, int(2.4 * length) or 1), length, 0, signed, native
    ),
    st.sampled_from([1, 2, 3, 4, 5, 6, 7, 8, 16]), st.booleans(), st.booleans(),
)  # fmt: skip


@given(st.data(), kinds, st.booleans())
def test_any_bytes_are_their_integer_or_too_large(
    data: st.DataObject, kind: Binary, little: bool
) -> None:
    encoding = LITTLE if little else EBCDIC
    cells = data.draw(st.lists(st.binary(min_size=kind.length, max_size=kind.length), min_size=1))
    policy = Policy(form=Form.SCALED)
    for cell, value in zip(
        cells, read(kind, *cells, encoding=encoding, policy=policy), strict=True
    ):
        number = int.from_bytes(cell, "little" if little else "big", signed=kind.signed)
        fits = kind.native or abs(number) < 10**kind.digits
        assert value == (number if fits else FaultCode.OUT_OF_RANGE)
        if fits:
            assert write(kind, value, encoding=encoding, policy=policy) == [cell]
