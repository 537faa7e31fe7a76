"""Level 88 and selectors as constraints on the values in documents."""

from decimal import Decimal
from itertools import chain
from typing import Any

import numpy as np

from adapters.legacy_cobol.copybook.kinds import Encoding, Float, Kind, National, Text
from adapters.legacy_cobol.copybook.layout import Condition, Figurative, Item, Literal, Range
from adapters.legacy_cobol.fields.codec import codec
from adapters.legacy_cobol.fields.policy import EXACT_DIGITS, Form, Policy
from adapters.legacy_cobol.records.selectors import literal_bytes
from adapters.legacy_cobol.schema.values import Number, Schema, form_of, nullable

MOST_VALUES = 256  # of a range that is listed


class _Inexpressible(Exception):
    """A value that cannot be expressed in documents."""


def closed(item: Item, policy: Policy, encoding: Encoding) -> Schema | None:
    """The values that level 88 allows; None if there are none, or they cannot be expressed."""
    if item.kind is None or not item.conditions:
        return None
    ranges = tuple(chain.from_iterable(each.ranges for each in item.conditions))
    return one_of(ranges, item.kind, policy, encoding)


def one_of(
    ranges: tuple[Range, ...], kind: Kind, policy: Policy, encoding: Encoding
) -> Schema | None:
    """A value in these ranges; None if that cannot be expressed.

    Ranges of text are in the order of the file, and are expressed for single characters only.
    """
    values: list[Any] = [None] if nullable(kind, policy) else []
    spans: list[Schema] = []
    try:
        for each in ranges:
            found = _in_range(each, kind, policy, encoding)
            if isinstance(found, dict):
                spans.append(found)
            else:
                values += found
    except _Inexpressible:
        return None
    unique = list(dict.fromkeys(values))
    if not spans:
        return {"enum": unique}
    return {"anyOf": [*spans, {"enum": unique}] if unique else spans}


def named(conditions: tuple[Condition, ...]) -> dict[str, list[str]]:
    """An annotation: the conditions and their values, as in the copybook."""
    return {each.name: [_shown(one) for one in each.ranges] for each in conditions}


def _shown(one: Range) -> str:
    low, high = (
        f"X'{each.hex().upper()}'" if isinstance(each, bytes) else str(each)
        for each in (one.low, one.high)
    )
    return low if one.high is None else f"{low} THRU {high}"


def _in_range(one: Range, kind: Kind, policy: Policy, encoding: Encoding) -> Schema | list[Any]:
    if isinstance(kind, Float):
        raise _Inexpressible
    if one.high is None:
        return [_shown_value(_bytes(one.low, kind, encoding), kind, policy, encoding)]
    if isinstance(kind, Text | National):
        return _characters(one.low, one.high, kind, policy, encoding)
    return _span(_scaled(one.low, kind), _scaled(one.high, kind), kind, policy, encoding)


def _characters(
    low: Literal, high: Literal, kind: Kind, policy: Policy, encoding: Encoding
) -> list[Any]:
    if kind.length != 1:
        raise _Inexpressible
    first, last = _bytes(low, kind, encoding)[0], _bytes(high, kind, encoding)[0]
    found = []
    for code in range(first, last + 1):
        try:
            found.append(_shown_value(bytes((code,)), kind, policy, encoding))
        except _Inexpressible:  # a byte that is not a character is not a value
            continue
    return found


def _span(
    low: int, high: int, kind: Number, policy: Policy, encoding: Encoding
) -> Schema | list[Any]:
    form = form_of(kind, policy)
    if form is Form.SCALED or (form is Form.NUMBER and kind.scale <= 0):
        unit = 1 if form is Form.SCALED else 10**-kind.scale
        return {"minimum": low * unit, "maximum": high * unit}
    if high - low >= MOST_VALUES:
        raise _Inexpressible
    values = [Decimal(each).scaleb(-kind.scale) for each in range(low, high + 1)]
    return [_shown_value(_bytes(each, kind, encoding), kind, policy, encoding) for each in values]


def _scaled(literal: Literal, kind: Number) -> int:
    number = Decimal(0) if literal is Figurative.ZERO else literal
    if not isinstance(number, Decimal):
        raise _Inexpressible
    scaled = number.scaleb(kind.scale)
    if scaled != int(scaled):
        raise _Inexpressible
    return int(scaled)


def _bytes(literal: Literal, kind: Kind, encoding: Encoding) -> bytes:
    try:
        return literal_bytes(literal, kind, encoding)
    except (ValueError, ArithmeticError):
        raise _Inexpressible from None


def _shown_value(raw: bytes, kind: Kind, policy: Policy, encoding: Encoding) -> Any:
    """The value in documents for these bytes, decoded like those of files."""
    column = codec(kind, encoding, policy).decode(np.frombuffer(raw, np.uint8)[None], 0)
    if column.codes is not None and column.codes[0]:
        raise _Inexpressible
    value = column.python()[0]
    if not isinstance(value, Decimal):
        return value
    if len(value.as_tuple().digits) > EXACT_DIGITS:
        raise _Inexpressible
    return float(value)
