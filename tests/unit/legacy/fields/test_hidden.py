"""A fault shows the bytes that are wrong, and no digit or letter of a value."""

import pytest

from adapters.legacy_cobol.fields.codes import FaultCode, FieldFault

NIK, NAME = "3273014105900001", "JOKO SITI RAHMAWATI"


@pytest.mark.parametrize(
    ("code", "raw", "shown"),
    [
        (FaultCode.INVALID_DIGIT, b"00000X1", "3x3x3x3x3x583x"),
        (FaultCode.INVALID_DIGIT, "00000X1".encode("cp037"), "fxfxfxfxfxe7fx"),
        (FaultCode.INVALID_DIGIT, bytes.fromhex("12a4567d"), "xxaxxxxd"),
        (FaultCode.INVALID_SIGN, bytes.fromhex("000043000003"), "xxxxxxxxxxx3"),
        (FaultCode.NON_PREFERRED_SIGN, bytes.fromhex("32730141059000010a"), "x" * 17 + "a"),
        (FaultCode.BLANK, b"    ", "xxxxxxxx"),
        (FaultCode.CONTROL_CHARACTER, b"SITI\x00A", "xxxxxxxx00xx"),
        (FaultCode.CONTROL_CHARACTER, bytes.fromhex("0327301410590000"), "x" * 16),
        (FaultCode.NO_RECORD_TYPE, b"Z9", "5a3x"),
    ],
)  # fmt: skip
def test_what_is_shown(code: FaultCode, raw: bytes, shown: str) -> None:
    assert FieldFault("F", code, 0, raw).hidden == shown
    assert f"(hex {shown})" in str(FieldFault("F", code, 0, raw))


@pytest.mark.parametrize("page", ["ascii", "cp037", "cp1140", "cp273"])
@pytest.mark.parametrize("code", list(FaultCode))
@pytest.mark.parametrize("value", [NIK, NAME, f"X{NIK}", f"{NAME}{NIK}"])
def test_no_value_is_shown_whatever_the_fault(page: str, code: FaultCode, value: str) -> None:
    shown = FieldFault("F", code, 0, value.encode(page)).hidden
    known = "".join(
        bytes.fromhex(shown[at : at + 2]).decode(page)
        for at in range(0, len(shown), 2)
        if "x" not in shown[at : at + 2]
    )
    assert len(known.strip("X ")) <= 1


def test_a_packed_number_is_hidden() -> None:
    for code in FaultCode:
        shown = FieldFault("F", code, 0, bytes.fromhex(f"0{NIK}c")).hidden
        assert set(shown[:-2]) <= {"x", "0", "1"}
        assert sum(each != "x" for each in shown[:-2]) <= 4
