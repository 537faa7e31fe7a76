"""Strict JSON (RFC 8259; I-JSON, RFC 7493): parsed once, exactly, and refused on any doubt.

Refused: text that is not UTF-8 or starts with a byte order mark, nesting beyond a limit, an object
with a duplicate member, NaN and infinities, lone surrogates, and numbers outside the range of an
IEEE 754 double, which receivers that use doubles could not read.

A few passes in C recognise clean text. Only if they cannot prove it clean, an exact and slower
parser decides, and says what is wrong and where.
"""

import json
import re
from array import array
from collections.abc import Iterable
from decimal import Decimal
from functools import lru_cache
from itertools import accumulate
from typing import Any

import msgspec
from msgspec import Raw

from gateway.base.errors import Malformed, TooLarge
from gateway.base.json_pointer import escaped

DEPTH = 64
NUMBER_LENGTH = 400  # characters of one number as it is written
NUMBER_EXPONENT = 308  # numbers lie between 1e-308 and 1e308; a double ends at 1.8e308

_BOUND = 10**NUMBER_EXPONENT
_KEEP = "surrogateescape"  # bytes that are not UTF-8 go through text and come out the same
_POINTER_LENGTH = 512  # characters of a pointer in an error
_SPACE = b" \t\n\r"
_SQUARE = bytes.maketrans(b"{}", b"[]")
_STEP = bytes.maketrans(b"[]", b"\x01\xff")  # as signed bytes: one down, one up
_PLAIN = bytes(byte for byte in range(256) if byte not in b'"[]{}')
_PEELS = 8


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
    return _value(raw)


def members(raw: bytes, *, nested: str) -> dict[str, Raw]:
    """The members of an object as raw text, without duplicates; their values are not parsed yet.

    `nested` names the member that may hold objects. The whole text is checked to be UTF-8.
    Raises Malformed.
    """
    if not raw.isascii():
        _text(raw)
    try:
        found = _OBJECT.decode(raw)
    except RecursionError:
        raise _too_deep() from None
    except ValueError:
        _look_again(raw)
        raise Malformed("The JSON text must be an object.", pointer="") from None
    below = found.get(nested)
    if _names(raw) - (0 if below is None else _names(bytes(below))) != len(found):
        _look_again(raw)
    return found


def elements(raw: bytes, *, limit: int) -> list[Raw]:
    """The elements of an array as raw text. Raises Malformed, or TooLarge above `limit`.

    An error inside one element, such as a lone surrogate, is found when that element is parsed.
    """
    try:
        found = _first(raw, limit + 1)
    except RecursionError:
        raise _too_deep() from None
    if len(found) > limit:
        raise TooLarge(f"The array has more than {limit} elements. Send the rest separately.")
    return found


def _look_again(raw: bytes) -> None:
    """Parse a doubtful object exactly. Raises Malformed if it has an error."""
    require_strict(raw, depth=DEPTH + 1)
    _value(raw)


def _first(raw: bytes, most: int) -> list[Raw]:
    try:
        several = msgspec.structs.astuple(_array(most).decode(raw))
    except ValueError:
        return _split(raw, most)
    return [element for element in several if element is not None]


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
        elif kind is int and not -_BOUND < value < _BOUND:
            raise ValueError
    return found


def _decimal(text: str) -> Decimal:
    """A number with a fraction or an exponent. Raises ValueError out of bounds."""
    if len(text) > NUMBER_LENGTH:
        raise ValueError
    value = Decimal(text)
    if not -NUMBER_EXPONENT <= value.adjusted() < NUMBER_EXPONENT:
        raise ValueError
    return value


_READER = msgspec.json.Decoder(float_hook=_decimal)
_OBJECT = msgspec.json.Decoder(dict[str, Raw])


@lru_cache(maxsize=8)
def _array(size: int) -> msgspec.json.Decoder[Any]:
    """Parses the first `size` elements of an array and skips the others.

    A list of Raw would hold all of them, however many, before they could be counted.
    """
    fields = [(f"element{number}", Raw, None) for number in range(size)]
    return msgspec.json.Decoder(msgspec.defstruct("Elements", fields, array_like=True))


# The exact reader.


class _Members(list[tuple[str, Any]]):
    """An object as its members in the order of the text, duplicates included."""


class _Fault(str):
    """Marks a refused value in the tree, so that its pointer can be reported."""


_Path = tuple["_Path | None", str | int]
_TOO_BIG = _Fault("The number is out of range or too long.")


def _number(text: str) -> Decimal | _Fault:
    try:
        return _decimal(text)
    except (ValueError, ArithmeticError):
        return _TOO_BIG


def _integer(text: str) -> int | _Fault:
    if len(text) <= NUMBER_LENGTH and -_BOUND < (value := int(text)) < _BOUND:
        return value
    return _TOO_BIG


_EXACT = json.JSONDecoder(
    object_pairs_hook=_Members,
    parse_float=_number,
    parse_int=_integer,
    parse_constant=lambda name: _Fault(f"{name} is not JSON."),
)


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise Malformed("The JSON text is not UTF-8.", byte=error.start) from None


def _value(raw: bytes) -> Any:
    """The value of a JSON text, parsed exactly. Raises Malformed."""
    try:
        return _checked(_exact(_text(raw)), None)
    except RecursionError:
        raise _too_deep() from None


def _exact(text: str) -> Any:
    """The tree of a JSON text, with objects as _Members. Raises Malformed for syntax errors."""
    if text.startswith("\ufeff"):
        raise Malformed("The JSON text starts with a byte order mark. Remove it.", byte=0)
    try:
        return _EXACT.decode(text)
    except json.JSONDecodeError as error:
        reason = error.msg[:1].lower() + error.msg[1:].removesuffix(" at")
        raise Malformed(
            f"The text is not JSON: {reason}.", byte=len(text[: error.pos].encode(errors=_KEEP))
        ) from None


def _checked(tree: Any, path: _Path | None) -> Any:
    """The value of an exact tree. Raises Malformed with the pointer of the first error."""
    if isinstance(tree, _Members):
        value: dict[str, Any] = {}
        for name, member in tree:
            if _sound(name, (path, name)) in value:
                reason = "The object has this member twice. Receivers differ in which one they use."
                raise Malformed(reason, pointer=_pointer((path, name)))
            value[name] = _checked(member, (path, name))
        return value
    if isinstance(tree, list):
        return [_checked(each, (path, index)) for index, each in enumerate(tree)]
    if isinstance(tree, _Fault):
        raise Malformed(str(tree), pointer=_pointer(path))
    return _sound(tree, path) if isinstance(tree, str) else tree


def _sound(text: str, path: _Path | None) -> str:
    """The text, without lone surrogates. Raises Malformed."""
    try:
        text.encode()
    except UnicodeEncodeError:
        reason = "A \\u escape is half of a surrogate pair, which is not a character."
        raise Malformed(reason, pointer=_pointer(path)) from None
    return text


def _pointer(path: _Path | None) -> str:
    """The JSON pointer (RFC 6901) of a path, cut if it is too long."""
    steps: list[str] = []
    while path is not None:
        path, step = path
        cut = escaped(str(step)[:_POINTER_LENGTH])
        steps.append("/" + cut.encode(errors="backslashreplace").decode())
    return "".join(reversed(steps))[:_POINTER_LENGTH]


def _too_deep() -> Malformed:
    return Malformed("The JSON text nests too deep. Flatten it.")


_ELEMENT = re.compile(r"[^ \t\n\r,\]]")  # the start of an element of an array


def _split(raw: bytes, most: int) -> list[Raw]:
    """The first elements of an array, found by parsing each. Raises Malformed."""
    text, found = raw.decode(errors=_KEEP), list[Raw]()
    if type(_exact(text)) is not list:
        raise Malformed("The JSON text must be an array.", pointer="")
    end = text.index("[") + 1
    while len(found) < most and (start := _ELEMENT.search(text, end)):
        end = _EXACT.raw_decode(text, start.start())[1]
        found.append(Raw(text[start.start() : end].encode(errors=_KEEP)))
    return found
