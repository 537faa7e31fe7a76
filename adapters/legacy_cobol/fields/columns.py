"""Columns: the values of one field of many records, each good, null or with a fault code."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Context, Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adapters.legacy_cobol.fields.codepages import CodePage
from adapters.legacy_cobol.fields.codes import Codes
from adapters.legacy_cobol.fields.policy import Form

Rows = NDArray[np.uint8]  # (records, bytes)
Mask = NDArray[np.bool_]

IN_INT64 = 18  # decimal digits that always fit into an int64
_WIDE = Context(prec=80)  # more than any picture has


@dataclass(slots=True)
class Numbers:
    """Exact decimals: `data` times 10 ** -scale; int64, or Python ints above 18 digits."""

    data: NDArray[Any]
    scale: int
    digits: int
    form: Form
    codes: Codes | None = None
    nulls: Mask | None = None

    def python(self) -> list[Any]:
        """int, Decimal or str by the form; None for null. Values with a code are meaningless."""
        values: list[Any] = self.data.tolist()
        scale, form = self.scale, self.form
        if form is Form.CODE:
            values = [code_of(value, self.digits) for value in values]
        elif form is not Form.SCALED and scale > 0:
            values = [Decimal(value).scaleb(-scale, _WIDE) for value in values]
        elif form is not Form.SCALED and scale < 0:
            values = [value * 10**-scale for value in values]
        if form is Form.STRING:
            values = [f"{value:f}" if scale > 0 else str(value) for value in values]
        return without(values, self.nulls)


def code_of(value: int, digits: int) -> str:
    """All digits of a number, after a minus if it is negative."""
    return f"{'-' if value < 0 else ''}{abs(value):0{digits}d}"


@dataclass(slots=True)
class Characters:
    """Text of a single-byte code page: (records, length) bytes of it, untrimmed.

    `padding` is the byte to trim: the blank, or X'00' where blanks belong to the text. `harmless`:
    but for nulls, all bytes are in the range of the page without control characters.
    """

    data: Rows
    page: CodePage
    left: bool  # trim this side
    right: bool
    codes: Codes | None = None
    nulls: Mask | None = None
    harmless: bool = False
    padding: int = -1

    def __post_init__(self) -> None:
        if self.padding < 0:
            self.padding = self.page.space

    def python(self) -> list[Any]:
        """str, trimmed; None for null."""
        count, width = self.data.shape
        text = self.page.decode(self.data.tobytes())
        values: list[Any] = [text[at : at + width] for at in range(0, count * width, width)]
        padding = self.page.decode(bytes((self.padding,)))
        if self.right:
            values = [value.rstrip(padding) for value in values]
        if self.left:
            values = [value.lstrip(padding) for value in values]
        return without(values, self.nulls)

    def equals(self, other: "Characters") -> Mask:
        """Where the trimmed texts are equal."""
        equal = np.asarray((self.data == other.data).all(axis=1), bool)
        unequal = np.flatnonzero(~equal)
        if self.left and self.right and len(unequal):
            pairs = zip(self._texts(unequal), other._texts(unequal), strict=True)
            equal[unequal] = [one == another for one, another in pairs]
        return equal

    def _texts(self, index: NDArray[np.intp]) -> list[Any]:
        return replace(self, data=self.data[index], nulls=None).python()


@dataclass(slots=True)
class Strings:
    """Text with several bytes per character: trimmed Python strings."""

    data: NDArray[Any]
    codes: Codes | None = None
    nulls: Mask | None = None

    def python(self) -> list[Any]:
        """str; None for null."""
        values: list[Any] = self.data.tolist()
        return without(values, self.nulls)


@dataclass(slots=True)
class Floats:
    """COMP-1 and COMP-2: float32 for short IEEE numbers, else float64."""

    data: NDArray[Any]
    codes: Codes | None = None
    nulls: Mask | None = None

    def python(self) -> list[Any]:
        """float; None for null. A short IEEE number becomes its shortest decimal."""
        if self.data.dtype == np.float32:
            return without([float(str(value)) for value in self.data], self.nulls)
        values: list[Any] = self.data.tolist()
        return without(values, self.nulls)


Column = Numbers | Characters | Strings | Floats


def without(values: list[Any], nulls: Mask | None) -> list[Any]:
    """The values, with None where `nulls` is true."""
    if nulls is not None:
        for at in np.flatnonzero(nulls):
            values[at] = None
    return values


def same(one: Column, other: Column) -> Mask:
    """Where both are good and equal."""
    if isinstance(one, Characters) and isinstance(other, Characters):
        equal = one.equals(other)
    else:
        equal = np.asarray(one.data == other.data, bool)
    for column in (one, other):
        if column.codes is not None:
            equal &= column.codes == 0
    if one.nulls is None and other.nulls is None:
        return equal
    left = np.zeros(len(equal), bool) if one.nulls is None else one.nulls
    right = np.zeros(len(equal), bool) if other.nulls is None else other.nulls
    return np.where(left | right, left & right, equal)


def objects(values: Sequence[object]) -> NDArray[Any]:
    """Any Python objects as an array of one dimension."""
    found = np.empty(len(values), object)
    found[:] = values
    return found
