"""The exact reader of strict JSON: slower than the fast one, it says what is wrong and where."""

import json
import re
from decimal import Decimal
from typing import Any

from msgspec import Raw

from gateway.base.errors import Malformed
from gateway.base.json_pointer import escaped

NUMBER_LENGTH = 400  # characters of one number as it is written
NUMBER_EXPONENT = 308  # numbers lie between 1e-308 and 1e308; a double ends at 1.8e308

BOUND = 10**NUMBER_EXPONENT
_KEEP = "surrogateescape"  # bytes that are not UTF-8 go through text and come out the same
_POINTER_LENGTH = 512  # characters of a pointer in an error


def decimal(text: str) -> Decimal:
    """A number with a fraction or an exponent. Raises ValueError out of bounds."""
    if len(text) > NUMBER_LENGTH:
        raise ValueError
    value = Decimal(text)
    if not -NUMBER_EXPONENT <= value.adjusted() < NUMBER_EXPONENT:
        raise ValueError
    return value


class _Members(list[tuple[str, Any]]):
    """An object as its members in the order of the text, duplicates included."""


class _Fault(str):
    """Marks a refused value in the tree, so that its pointer can be reported."""


_Path = tuple["_Path | None", str | int]
_TOO_BIG = _Fault("The number is out of range or too long.")


def _number(text: str) -> Decimal | _Fault:
    try:
        return decimal(text)
    except (ValueError, ArithmeticError):
        return _TOO_BIG


def _integer(text: str) -> int | _Fault:
    if len(text) <= NUMBER_LENGTH and -BOUND < (value := int(text)) < BOUND:
        return value
    return _TOO_BIG


_EXACT = json.JSONDecoder(
    object_pairs_hook=_Members,
    parse_float=_number,
    parse_int=_integer,
    parse_constant=lambda name: _Fault(f"{name} is not JSON."),
)


def text_of(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise Malformed("The JSON text is not UTF-8.", byte=error.start) from None


def value_of(raw: bytes) -> Any:
    """The value of a JSON text, parsed exactly. Raises Malformed."""
    try:
        return _checked(_exact(text_of(raw)), None)
    except RecursionError:
        raise too_deep() from None


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


def too_deep() -> Malformed:
    return Malformed("The JSON text nests too deep. Flatten it.")


_ELEMENT = re.compile(r"[^ \t\n\r,\]]")  # the start of an element of an array


def split(raw: bytes, most: int) -> list[Raw]:
    """The first elements of an array, found by parsing each. Raises Malformed."""
    text, found = raw.decode(errors=_KEEP), list[Raw]()
    if type(_exact(text)) is not list:
        raise Malformed("The JSON text must be an array.", pointer="")
    end = text.index("[") + 1
    while len(found) < most and (start := _ELEMENT.search(text, end)):
        end = _EXACT.raw_decode(text, start.start())[1]
        found.append(Raw(text[start.start() : end].encode(errors=_KEEP)))
    return found
