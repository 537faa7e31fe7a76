"""What a codec reads is valid, what it cannot hold is not, for each kind and form."""

from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from adapters.legacy_cobol.copybook.dialects import GNUCOBOL, IBM
from adapters.legacy_cobol.copybook.kinds import Binary, Edited, Kind, Packed, Text, Zoned
from adapters.legacy_cobol.copybook.layout import Figurative, Literal, Range, Repeated
from adapters.legacy_cobol.fields.codec import codec
from adapters.legacy_cobol.fields.policy import Form, Meaning, Policy
from adapters.legacy_cobol.schema.conditions import one_of
from adapters.legacy_cobol.schema.values import Number, bounds, value_schema

NUMBERS: list[Number] = [
    Zoned(1), Zoned(4, signed=True), Zoned(5, 2), Zoned(3, 3, signed=True), Zoned(3, 5),
    Zoned(4, 3, signed=True), Zoned(3, -2, signed=True), Zoned(18, 2, signed=True), Zoned(38),
    Packed(7, 2, signed=True), Packed(4, sign_nibble=False), Binary(4, 2, signed=True),
    Binary(4, 2, signed=True, native=True), Binary(9, 4, 2), Binary(20, 8, native=True),
    Edited("ZZ,ZZ9.99-", 7, 2, signed=True), Edited("99/99", 4),
]  # fmt: skip
FORMS = [Form.AUTO, Form.STRING, Form.NUMBER, Form.SCALED]


def shown(kind: Number, form: Form, scaled: int) -> Any:
    """A scaled integer written into bytes, and read again in this form."""
    row = np.zeros((1, kind.length), np.uint8)
    writer = codec(kind, IBM.encoding, Policy(form=Form.SCALED))
    codes = writer.encode(writer.column([scaled]), row, 0)
    assert codes is None or not codes.any()
    column = codec(kind, IBM.encoding, Policy(form=form)).decode(row, 0)
    assert column.codes is None or not column.codes.any()
    (value,) = column.python()
    return float(value) if isinstance(value, Decimal) else value


def valid(schema: dict[str, Any], value: object) -> bool:
    return Draft202012Validator(schema).is_valid(value)


@given(st.sampled_from(NUMBERS), st.sampled_from(FORMS), st.data())
def test_all_numbers_of_a_field_are_valid(kind: Number, form: Form, data: st.DataObject) -> None:
    low, high = bounds(kind)
    scaled = data.draw(st.integers(low, high) | st.sampled_from([low, high, 0]))
    assert valid(value_schema(kind, Policy(form=form)), shown(kind, form, scaled))


@pytest.mark.parametrize("kind", NUMBERS)
def test_numbers_beyond_a_field_are_not(kind: Number) -> None:
    low, high = bounds(kind)
    scaled = value_schema(kind, Policy(form=Form.SCALED))
    assert valid(scaled, low)
    assert valid(scaled, high)
    assert not valid(scaled, low - 1)
    assert not valid(scaled, high + 1)
    text = value_schema(kind, Policy(form=Form.STRING))
    for wrong in ("", "-", "1.", "00", "+1", "1" * 40, "1e3", 1, None, "-0" if low == 0 else "--1"):
        assert not valid(text, wrong)


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        (Zoned(5, 2), ["0.00", "12.50", "999.99"], ["01.00", "1000.00", "-1.00", "1.5", "1"]),
        (Zoned(3, 3, signed=True), ["0.000", "-0.125"], ["1.000", ".125", "0.12"]),
        (Zoned(3, 5), ["0.00123", "0.00000"], ["0.01230", "0.123"]),
        (Zoned(4, 3), ["9.999"], ["10.000"]),
        (Zoned(3, -2, signed=True), ["0", "99900", "-100"], ["100000", "150", "-0"]),
    ],
)
def test_decimals_as_text(kind: Number, good: list[str], bad: list[str]) -> None:
    schema = value_schema(kind, Policy(form=Form.STRING))
    assert [valid(schema, each) for each in good] == [True] * len(good)
    assert [valid(schema, each) for each in bad] == [False] * len(bad)


def test_codes_text_and_nulls() -> None:
    code = value_schema(Zoned(4), Policy(form=Form.CODE))
    assert valid(code, "0012")
    assert not valid(code, "12")
    assert value_schema(Text(3), Policy()) == {"type": "string", "maxLength": 3}
    assert value_schema(Text(3), Policy(blanks=Meaning.ERROR))["minLength"] == 1
    assert value_schema(Zoned(3), Policy(blanks=Meaning.NULL))["type"] == ["integer", "null"]


@pytest.mark.parametrize(
    ("kind", "literal", "policy", "value"),
    [
        (Text(3), "AB", Policy(), "AB"),
        (Text(3, justified=True), "AB", Policy(), "AB"),
        (Text(3), Figurative.SPACE, Policy(), ""),
        (Text(3), Figurative.ZERO, Policy(), "000"),
        (Text(3), Repeated("*"), Policy(), "***"),
        (Text(2), b"\xc1\xc2", Policy(), "AB"),
        (Text(1), Decimal(1), Policy(), "1"),
        (Zoned(3), Decimal(7), Policy(), 7),
        (Zoned(3), Decimal(7), Policy(form=Form.CODE), "007"),
        (Packed(3, 1, signed=True), Decimal("-1.5"), Policy(), "-1.5"),
        (Packed(3, 1, signed=True), Decimal("-1.5"), Policy(form=Form.NUMBER), -1.5),
        (Packed(3, 1, signed=True), Decimal("-1.5"), Policy(form=Form.SCALED), -15),
    ],
)
def test_literals_as_documents_show_them(
    kind: Kind, literal: Literal, policy: Policy, value: object
) -> None:
    assert one_of((Range(literal),), kind, policy, IBM.encoding) == {"enum": [value]}


def test_ranges() -> None:
    characters = one_of((Range("H", "J"),), Text(1), Policy(), IBM.encoding)
    assert characters is not None
    assert set("HIJ") < set(characters["enum"])  # EBCDIC has other characters between I and J
    assert one_of((Range("H", "J"),), Text(1), Policy(), GNUCOBOL.encoding) == {
        "enum": ["H", "I", "J"]
    }
    number = (Range(Decimal(1), Decimal(3)), Range(Decimal(9)))
    assert one_of(number, Zoned(3), Policy(), IBM.encoding) == {
        "anyOf": [{"minimum": 1, "maximum": 3}, {"enum": [9]}]
    }
    assert one_of(number, Zoned(2), Policy(form=Form.CODE), IBM.encoding) == {
        "enum": ["01", "02", "03", "09"]
    }
    null = one_of((Range("A"),), Text(1), Policy(blanks=Meaning.NULL), IBM.encoding)
    assert null == {"enum": [None, "A"]}


@pytest.mark.parametrize(
    ("kind", "one"),
    [
        (Text(2), Range("AA", "BB")),
        (Text(1), Range(Figurative.HIGH_VALUE)),
        (Zoned(2), Range(Decimal(100))),
        (Zoned(9, 2), Range(Decimal(0), Decimal(9999))),
        (Zoned(2), Range("AB")),
    ],
)
def test_what_cannot_be_told_stays_open(kind: Kind, one: Range) -> None:
    assert one_of((one,), kind, Policy(), IBM.encoding) is None
