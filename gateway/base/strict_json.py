"""Strict JSON (RFC 8259; I-JSON, RFC 7493): parsed once, exactly, and refused on any doubt.

Refused: text that is not UTF-8 or starts with a byte order mark, nesting beyond a limit, an object
with a duplicate member, NaN and infinities, lone surrogates, and numbers outside the range of an
IEEE 754 double, which receivers that use doubles could not read.

A few passes in C recognise clean text. Only if they cannot prove it clean, an exact and slower
parser decides, and says what is wrong and where.
"""

import re
from array import array
from collections.abc import Iterable
from functools import lru_cache
from itertools import accumulate
from typing import Any

import msgspec
from msgspec import Raw

from gateway.base.errors import Malformed, TooLarge
from gateway.base.exact_json import (
    BOUND,
    decimal,
    split,
    text_of,
    too_deep,
    value_of,
)

DEPTH = 64

_SPACE = b" \t\n\r"
_SQUARE = bytes.maketrans(b"{}", b"[]")
_STEP = bytes.maketrans(b"[]", b"\x01\xff")  # as signed bytes: one down, one up
_PLAIN = bytes(byte for byte in range(256) if byte not in b'"[]{}')
_PEELS = 8
_EXACT_LIMIT = 16 << 10  # bytes that the exact parser reads in some milliseconds
_EXACT_VALUES = 20_000  # values and names in longer text, such as one long string
_BYTE = re.compile(r"\(byte (\d+)\)")
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
_SURROGATES = 10_000  # escapes that are replaced in a text
_BETWEEN = re.compile(rb"[ \t\n\r,]*")


def require_strict(raw: bytes, *, depth: int = DEPTH) -> None:
    """Refuse text that nests deeper than `depth`, before any value is built.

    Raises Malformed. It does not check that the text is JSON; `parse` does.
    """
    if raw.count(b"{") + raw.count(b"[") > depth and _nesting(raw) > depth:
        raise Malformed(f"The JSON text nests deeper than {depth} levels. Flatten it.")


def parse(raw: bytes, *, depth: int = DEPTH) -> Any:
    """The value of a JSON text: integers as int, other numbers as Decimal, exactly as written.

    Raises Malformed with the byte offset or the JSON pointer of the error.
    """
    require_strict(raw, depth=depth)
    try:
        value = _READER.decode(raw)
        # Every member name is followed by a colon. If no more colons follow a quote than members
        # were kept, no duplicate member was dropped.
        if _names(raw) == _members_below((value,)):
            return value
    except (ValueError, ArithmeticError, RecursionError):
        pass
    return value_of(raw)


def members(raw: bytes, *, nested: str, exact: bool = True) -> dict[str, Raw]:
    """The members of an object as raw text, without duplicates; their values are not parsed yet.

    `nested` names the member that may hold objects. The whole text is checked to be UTF-8.
    Raises Malformed; where the text is large, or without `exact`, it may not say where.
    """
    if not raw.isascii():
        text_of(raw)
    try:
        found = _OBJECT.decode(raw)
    except RecursionError:
        raise too_deep() from None
    except ValueError as error:
        if not exact or len(raw) > _EXACT_LIMIT:
            raise _refused_by_reader(error) from None
        _look_again(raw)
        raise Malformed("The JSON text must be an object.", pointer="") from None
    below = found.get(nested)
    if _names(raw) - (0 if below is None else _names(bytes(below))) != len(found):
        _look_again(raw if below is None else _without(raw, nested, bytes(below), found))
    return found


def elements(raw: bytes, *, limit: int) -> list[Raw]:
    """The elements of an array as raw text. Raises Malformed, or TooLarge above `limit`.

    An error inside one element, such as a lone surrogate, is found when that element is parsed.
    """
    try:
        found = _first(raw, limit + 1)
    except RecursionError:
        raise too_deep() from None
    if len(found) > limit:
        raise TooLarge(f"The array has more than {limit} elements. Send the rest separately.")
    return found


def _look_again(raw: bytes) -> None:
    """Parse a doubtful object exactly. Raises Malformed if it has an error."""
    if len(raw) > _EXACT_LIMIT and sum(map(raw.count, (b",", b":", b"[", b"{"))) > _EXACT_VALUES:
        raise Malformed("The object has too many values. Move them to where the data are.")
    require_strict(raw, depth=DEPTH + 1)
    value_of(raw)


def _without(raw: bytes, name: str, value: bytes, found: dict[str, Raw]) -> bytes:
    """The text of an object with null for the value of a member, if that value can be located."""
    for start in {raw.find(value), raw.rfind(value)}:
        text = b"%bnull%b" % (raw[:start], raw[start + len(value) :])
        try:
            rest = _OBJECT.decode(text)
        except ValueError:  # the value stands in a string as well
            continue
        if rest == {**found, name: Raw(b"null")}:
            return text
    return raw


def _refused_by_reader(error: ValueError) -> Malformed:
    """What the fast reader says; it is asked where the exact one would take long."""
    if isinstance(error, msgspec.ValidationError):
        return Malformed("The JSON text must be an object or array as expected here.", pointer="")
    at = _BYTE.search(str(error))
    return Malformed("The text is not JSON.", byte=int(at[1]) if at else None)


def _first(raw: bytes, most: int) -> list[Raw]:
    try:
        return _decoded(raw, most)
    except ValueError:
        return split(raw, most) if len(raw) <= _EXACT_LIMIT else _split_large(raw, most)


def _decoded(raw: bytes, most: int) -> list[Raw]:
    several = msgspec.structs.astuple(_array(most).decode(raw))
    return [element for element in several if element is not None]


def _split_large(raw: bytes, most: int) -> list[Raw]:
    """The same for long text: the fast reader splits a copy without half surrogate pairs.

    The copy has the same length, so an element has the same place in both.
    """
    if not raw.isascii():
        text_of(raw)
    try:
        copies = _decoded(_SURROGATE.sub(rb"\\u0041", raw, count=_SURROGATES), most)
    except ValueError as error:
        raise _refused_by_reader(error) from None
    found, end = list[Raw](), raw.index(b"[") + 1
    for copy in copies:
        start = end + len(_BETWEEN.match(raw, end)[0])  # type: ignore[index]  # it may be empty
        end = start + len(bytes(copy))
        found.append(Raw(raw[start:end]))
    return found


def _nesting(raw: bytes) -> int:
    """How deep JSON text nests, in a fixed number of linear passes.

    First remove the escapes, then everything except quotes and brackets. Two adjacent quotes do
    not change which brackets are inside a string, so remove such pairs; the remaining quotes
    enclose brackets that are text.
    """
    if b"\\" in raw:
        raw = raw.replace(b"\\\\", b"").replace(b'\\"', b"")
    brackets = raw.translate(_SQUARE, _PLAIN).replace(b'""', b"")
    if b'"' in brackets:
        brackets = b"".join(brackets.split(b'"')[::2])
    rest = brackets
    for level in range(_PEELS):
        peeled = rest.replace(b"[]", b"")
        if len(peeled) == len(rest):  # no pair left: what is open here is never closed
            return level + rest.count(b"[")
        rest = peeled
    return max(accumulate(array("b", brackets.translate(_STEP))), default=0)


def _names(raw: bytes) -> int:
    """An upper bound of the number of member names; a string that contains `":` counts as well."""
    return raw.translate(None, _SPACE).count(b'":')


def _members_below(values: Iterable[Any]) -> int:
    """How many object members there are. Raises ValueError for an integer out of bounds."""
    found = 0
    for value in values:
        kind = type(value)
        if kind is str:
            continue
        if kind is dict:
            found += len(value) + _members_below(value.values())
        elif kind is list:
            found += _members_below(value)
        elif kind is int and not -BOUND < value < BOUND:
            raise ValueError
    return found


_READER = msgspec.json.Decoder(float_hook=decimal)
_OBJECT = msgspec.json.Decoder(dict[str, Raw])


@lru_cache(maxsize=8)
def _array(size: int) -> msgspec.json.Decoder[Any]:
    """Parses the first `size` elements of an array and skips the others.

    A list of Raw would hold all of them, however many, before they could be counted.
    """
    fields = [(f"element{number}", Raw, None) for number in range(size)]
    return msgspec.json.Decoder(msgspec.defstruct("Elements", fields, array_like=True))
