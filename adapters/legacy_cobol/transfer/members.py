"""Single members of documents, fast: only what is asked for is read from the JSON."""

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
    """A member is missing or empty. Its text is the name."""


def path_of(name: str) -> Path:
    """`alamat.kode` is a member of a member."""
    return tuple(name.split("."))


def follow(document: Any, path: Path) -> Any:
    """The member there, None where there is none."""
    return reduce(lambda it, name: it.get(name) if isinstance(it, dict) else None, path, document)


def reader(names: Sequence[str], kind: Any) -> Callable[[Sequence[bytes]], list[tuple[Any, ...]]]:
    """A function from the texts of documents to these members of each; None where one is missing.

    All texts are read in one step, which is several times as fast as one after the other. Members
    of another kind than this come as JSON has them. Raises ValueError for a text that is no JSON.
    """
    paths = [path_of(name) for name in names]
    several = types.GenericAlias(list, (_struct(paths, kind),))
    decode: Callable[[bytes], Any] = msgspec.json.Decoder(several).decode
    getters = [attrgetter(_attribute(paths, path)) for path in paths]

    def read(texts: Sequence[bytes]) -> list[tuple[Any, ...]]:
        try:
            found = decode(b"[%b]" % b",".join(texts))
            return list(zip(*([get(each) for each in found] for get in getters), strict=True))
        except (msgspec.ValidationError, AttributeError):  # another kind; nothing above it
            documents = [_slow(text.decode()) for text in texts]
            return [tuple(follow(each, path) for path in paths) for each in documents]

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


def template(text: str) -> Callable[[Sequence[bytes]], list[str | NoMember]]:
    """A function from documents to the text with the members of each in the braces.

    A NoMember stands where a member is missing, null or empty.
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
    """A function from documents to these members of each as numbers."""
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
