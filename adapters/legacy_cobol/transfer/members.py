"""Fast access to single members of JSON documents: only those members are decoded."""

import json
import types
from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import reduce
from operator import attrgetter
from string import Formatter
from typing import Any

import msgspec

from adapters.legacy_cobol.transfer.control_records import number_of

Path = tuple[str, ...]
_slow = json.JSONDecoder(parse_float=Decimal).decode


class NoMember(ValueError):
    """A member is missing or empty. The text is its name."""


def path_of(name: str) -> Path:
    """The path of a name: `alamat.kode` is a member of a member."""
    return tuple(name.split("."))


def follow(document: Any, path: Path) -> Any:
    """The member at a path; None if there is none."""
    return reduce(lambda it, name: it.get(name) if isinstance(it, dict) else None, path, document)


def reader(names: Sequence[str], kind: Any) -> Callable[[Sequence[bytes]], list[tuple[Any, ...]]]:
    """A function that reads these members of many documents; None for a missing member.

    It decodes all documents in one step, which is several times faster than one by one. A member
    of another kind is returned as JSON has it. Raises ValueError for a text that is not JSON.
    """
    paths = [path_of(name) for name in names]
    several = types.GenericAlias(list, (_struct(paths, kind),))
    decode: Callable[[bytes], Any] = msgspec.json.Decoder(several).decode
    getters = [attrgetter(_attribute(paths, path)) for path in paths]

    def read(texts: Sequence[bytes]) -> list[tuple[Any, ...]]:
        try:
            found = decode(b"[%b]" % b",".join(texts))
            return list(zip(*([get(each) for each in found] for get in getters), strict=True))
        except (msgspec.ValidationError, AttributeError):  # another kind, or no parent
            documents = [_slow(text.decode()) for text in texts]
            return [tuple(follow(each, path) for path in paths) for each in documents]

    return read


def _heads(paths: Sequence[Path]) -> list[str]:
    return list(dict.fromkeys(path[0] for path in paths))


def _struct(paths: Sequence[Path], kind: Any) -> Any:
    """A type with these members only, by names that are no keywords."""
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


def template(text: str) -> Callable[[Sequence[bytes]], list[str | NoMember]]:
    """A function that fills the members of each document into the braces of a text.

    The result is NoMember if a member is missing, null or empty.
    """
    parts = list(Formatter().parse(text))
    names = [name for _, name, _, _ in parts if name]
    if not names:
        return lambda documents: [text] * len(documents)
    read = reader(names, str | int | None)
    form = "".join(
        literal.replace("%", "%%") + ("%s" if name else "") for literal, name, _, _ in parts
    )

    def fill(documents: Sequence[bytes]) -> list[str | NoMember]:
        return [
            form % values if _USABLE.issuperset(map(type, values)) and "" not in values
            else NoMember(next(n for n, v in zip(names, values, strict=True) if not _usable(v)))
            for values in read(documents)
        ]  # fmt: skip

    return fill


_USABLE = frozenset((str, int, Decimal))


def _usable(value: Any) -> bool:
    return type(value) in _USABLE and value != ""


def numbers(names: Sequence[str]) -> Callable[[Sequence[bytes]], list[tuple[Decimal | None, ...]]]:
    """A function that reads these members of many documents as numbers."""
    if not names:
        return lambda documents: [()] * len(documents)
    read = reader(names, Decimal | None)
    return lambda documents: [
        tuple(
            value if type(value) is Decimal and value.is_finite() else number_of(value)
            for value in values
        )
        for values in read(documents)
    ]
