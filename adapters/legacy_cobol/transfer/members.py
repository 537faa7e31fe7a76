"""Single members of documents, fast: only what is asked for is read from the JSON."""

import json
from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import reduce
from operator import attrgetter
from string import Formatter
from typing import Any

import msgspec

from adapters.legacy_cobol.transfer.figures import number_of

Path = tuple[str, ...]
_slow = json.JSONDecoder(parse_float=Decimal).decode


class NoMember(ValueError):
    """A member is missing or empty. Its text is the name."""


def path_of(name: str) -> Path:
    """`alamat.kode` is a member of a member."""
    return tuple(name.split("."))


def follow(document: Any, path: Path) -> Any:
    """The member there, None where there is none."""
    return reduce(lambda it, name: it.get(name) if isinstance(it, dict) else None, path, document)


def reader(names: Sequence[str], kind: Any) -> Callable[[bytes], list[Any]]:
    """A function from the text of a document to these members; None where one is missing.

    Members of another kind than this come as JSON has them.
    """
    paths = [path_of(name) for name in names]
    decode: Callable[[bytes], Any] = msgspec.json.Decoder(_struct(paths, kind)).decode
    getters = [attrgetter(_attribute(paths, path)) for path in paths]

    def read(text: bytes) -> list[Any]:
        try:
            found = decode(text)
            return [get(found) for get in getters]
        except (msgspec.ValidationError, AttributeError):  # another kind; nothing above it
            document = _slow(text.decode())
            return [follow(document, path) for path in paths]

    return read


def _heads(paths: Sequence[Path]) -> list[str]:
    return list(dict.fromkeys(path[0] for path in paths))


def _struct(paths: Sequence[Path], kind: Any) -> Any:
    """A type with these members and no other ones, by names that are never keywords."""
    fields: list[Any] = []
    names = {}
    for at, head in enumerate(_heads(paths)):
        below = [path[1:] for path in paths if path[0] == head and len(path) > 1]
        inner = _struct(below, kind) | None if below else kind
        names[f"m{at}"] = head
        fields.append((f"m{at}", inner, None))
    return msgspec.defstruct("Members", fields, rename=names, gc=False)


def _attribute(paths: Sequence[Path], path: Path) -> str:
    name = f"m{_heads(paths).index(path[0])}"
    if len(path) == 1:
        return name
    below = [each[1:] for each in paths if each[0] == path[0] and len(each) > 1]
    return f"{name}.{_attribute(below, path[1:])}"


def template(text: str) -> Callable[[bytes], str]:
    """A function from a document to the text with its members in the braces.

    It raises NoMember for a member that is missing, null or empty.
    """
    parts = list(Formatter().parse(text))
    names = [name for _, name, _, _ in parts if name]
    if not names:
        return lambda _: text
    read = reader(names, str | int | None)
    form = "".join(
        literal.replace("%", "%%") + ("%s" if name else "") for literal, name, _, _ in parts
    )

    def fill(document: bytes) -> str:
        values = read(document)
        for name, value in zip(names, values, strict=True):
            if value is None or value == "" or isinstance(value, dict | list | bool):
                raise NoMember(name)
        return form % tuple(values)

    return fill


def numbers(names: Sequence[str]) -> Callable[[bytes], list[Decimal | None]]:
    """A function from a document to these members as numbers."""
    if not names:
        return lambda _: []
    read = reader(names, Decimal | None)
    return lambda document: [
        value if type(value) is Decimal and value.is_finite() else number_of(value)
        for value in read(document)
    ]
