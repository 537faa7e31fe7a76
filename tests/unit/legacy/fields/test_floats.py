"""COMP-1 and COMP-2, IBM's and IEEE's."""

import struct
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.legacy_cobol.copybook.kinds import ByteOrder, Encoding, Float
from adapters.legacy_cobol.fields.codes import FaultCode
from tests.unit.legacy.fields.cells import ASCII, EBCDIC, read, write

IEEE, LITTLE = ASCII, replace(ASCII, native_order=ByteOrder.LITTLE)


@pytest.mark.parametrize(
    ("encoding", "cell", "value"),
    [
        (EBCDIC, "c276a000", -118.625),  # the example of the architecture's description
        (EBCDIC, "41100000", 1.0),
        (EBCDIC, "42640000", 100.0),
        (EBCDIC, "40800000", 0.5),
        (EBCDIC, "00000000", 0.0),
        (EBCDIC, "c276a00000000000", -118.625),
        (EBCDIC, "411999999999999a", 1.6),
        (EBCDIC, "7fffffffffffff00", 16.0**63 * (1 - 2.0**-48)),
        (EBCDIC, "00100000", 5.397605346934028e-79),
        (IEEE, "3f800000", 1.0),
        (IEEE, "3dcccccd", 0.1),
        (LITTLE, "cdcccc3d", 0.1),
        (IEEE, "3fb999999999999a", 0.1),
        (LITTLE, "9a9999999999b93f", 0.1),
    ],
)
def test_hand_checked(encoding: Encoding, cell: str, value: float) -> None:
    raw = bytes.fromhex(cell)
    assert read(Float(len(raw)), raw, encoding=encoding) == [value]
    if cell not in ("411999999999999a", "7fffffffffffff00"):
        assert write(Float(len(raw)), value, encoding=encoding) == [raw]


def test_not_finite() -> None:
    cells = [struct.pack(">f", each) for each in (float("nan"), float("inf"), float("-inf"))]
    assert read(Float(4), *cells, encoding=IEEE) == [FaultCode.NOT_FINITE] * 3


def test_refusals() -> None:
    assert write(Float(8), 1e76, 15 * 16.0**62, float("nan"), "1", None, True) == [
        FaultCode.OVERFLOW,
        bytes.fromhex("7ff0000000000000"),
        FaultCode.NOT_FINITE,
        FaultCode.WRONG_TYPE,
        FaultCode.NULL,
        FaultCode.WRONG_TYPE,
    ]
    assert write(Float(4), 1e39, encoding=IEEE) == [FaultCode.OVERFLOW]


@given(st.lists(st.floats(-1e70, 1e70).filter(lambda x: x == 0 or abs(x) > 1e-70), min_size=1))
def test_a_long_ibm_float_holds_every_double_of_its_range(values: list[float]) -> None:
    assert read(Float(8), *write(Float(8), *values)) == values


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_ieee_doubles_come_back(values: list[float]) -> None:
    assert read(Float(8), *write(Float(8), *values, encoding=LITTLE), encoding=LITTLE) == values


@given(st.lists(st.binary(min_size=8, max_size=8), min_size=1))
def test_any_eight_bytes_are_their_ibm_number(cells: list[bytes]) -> None:
    for cell, value in zip(cells, read(Float(8), *cells), strict=True):
        fraction = int.from_bytes(cell[1:])
        exact = fraction * 2.0 ** (4 * (cell[0] & 0x7F) - 256) / 2.0**56
        assert value == (-exact if cell[0] & 0x80 else exact)


@given(st.lists(st.binary(min_size=4, max_size=4), min_size=1))
def test_any_normal_short_ibm_float_comes_back(cells: list[bytes]) -> None:
    normal = [cell for cell in cells if cell[1] >= 0x10]
    if normal:
        assert write(Float(4), *read(Float(4), *normal)) == normal
