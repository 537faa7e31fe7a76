"""The differences between two JSON documents, as readable lines."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Literal

import msgspec

_NOTHING: Any = object()
_LONG = 100  # characters of a value in a line
_encode = msgspec.json.Encoder(decimal_format="number").encode


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference. `pointer` leads into either document."""

    kind: Literal["added", "removed", "changed"]
    pointer: str
    before: Any = None
    after: Any = None

    def line(self) -> str:
        """The difference as one line that starts with `+`, `-` or `~`."""
        where = self.pointer or "/"
        if self.kind == "added":
            return f"+ {where}: {_short(self.after)}"
        if self.kind == "removed":
            return f"- {where}: {_short(self.before)}"
        return f"~ {where}: {_short(self.before)} -> {_short(self.after)}"

    def as_json(self) -> dict[str, Any]:
        """The difference as JSON has it."""
        sides = {"removed": ("before",), "added": ("after",)}.get(self.kind, ("before", "after"))
        return {
            "kind": self.kind,
            "pointer": self.pointer,
            **{side: getattr(self, side) for side in sides},
        }


def differences(before: Any, after: Any, pointer: str = "") -> Iterator[Difference]:
    """Every difference between two documents, outermost first."""
    if isinstance(before, dict) and isinstance(after, dict):
        for name in dict.fromkeys([*before, *after]):
            step = f"{pointer}/{name.replace('~', '~0').replace('/', '~1')}"
            yield from _pair(before.get(name, _NOTHING), after.get(name, _NOTHING), step)
    elif isinstance(before, list) and isinstance(after, list):
        yield from _lists(before, after, pointer)
    elif not _same(before, after):
        yield Difference("changed", pointer, before, after)


def _pair(before: Any, after: Any, pointer: str) -> Iterator[Difference]:
    if before is _NOTHING:
        yield Difference("added", pointer, after=after)
    elif after is _NOTHING:
        yield Difference("removed", pointer, before=before)
    else:
        yield from differences(before, after, pointer)


def _lists(before: list[Any], after: list[Any], pointer: str) -> Iterator[Difference]:
    """Lists of scalars, such as required and enum, are compared as sets."""
    if any(isinstance(each, Mapping | list) for each in (*before, *after)):
        for index, (one, other) in enumerate(zip_longest(before, after, fillvalue=_NOTHING)):
            yield from _pair(one, other, f"{pointer}/{index}")
        return
    gone = [each for each in before if each not in after]
    new = [each for each in after if each not in before]
    for each in gone:
        yield Difference("removed", pointer, before=each)
    for each in new:
        yield Difference("added", pointer, after=each)
    if not gone and not new and before != after:
        yield Difference("changed", pointer, before, after)


def _same(before: Any, after: Any) -> bool:
    """Equal as JSON: 1 and 1.0 are, 1 and true are not."""
    return isinstance(before, bool) is isinstance(after, bool) and bool(before == after)


def _short(value: Any) -> str:
    text = _encode(value).decode()
    return text if len(text) <= _LONG else f"{text[: _LONG - 1]}…"
