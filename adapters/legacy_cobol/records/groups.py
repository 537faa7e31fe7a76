"""Groups, and the choice between items that share bytes by REDEFINES."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from adapters.legacy_cobol.fields.codes import FaultCode
from adapters.legacy_cobol.records.json_text import JsonText, Piece
from adapters.legacy_cobol.records.nodes import MISSING, Leaf, Node
from adapters.legacy_cobol.records.row_view import RowView
from adapters.legacy_cobol.records.selectors import SelectorMatcher

Pairs = list[tuple[str, Any]]

_IDENTIFIER = re.compile(r"(?!.*\d{9})[A-Za-z_][A-Za-z0-9_\-]{0,39}")


@dataclass(frozen=True, slots=True)
class SelectorTest:
    """A selector, and how many table levels further out its field is."""

    match: SelectorMatcher
    levels: int

    def holds(self, view: RowView) -> NDArray[np.bool_]:
        """Which rows of the view match."""
        return view.spread(self.match.holds(view.outer(self.levels).rows), self.levels)


@dataclass(frozen=True, slots=True)
class Alternative:
    """One variant of shared bytes: its members, and the selectors that must all match.

    `cut` is its name if it does not end where the record does.
    """

    tests: tuple[SelectorTest, ...]
    members: "Members"
    cut: str = ""

    @property
    def names(self) -> frozenset[str]:
        """The names of its members."""
        return frozenset(names_of(self.members))


Chosen = tuple[Alternative, NDArray[np.intp], list[Any]]


@dataclass(frozen=True, slots=True)
class RedefinesChoice:
    """Items that share bytes: each row has the members of one alternative. It has no name."""

    label: str
    offset: int
    alternatives: tuple[Alternative, ...]

    def read(self, view: RowView) -> list[Chosen]:
        """For each chosen alternative: the alternative, its rows, and its values."""
        open_rows = np.ones(len(view.rows), bool)
        found = []
        for each in self.alternatives:
            here = open_rows.copy()
            for test in each.tests:
                here &= test.holds(view)
            open_rows &= ~here
            chosen = np.flatnonzero(here)
            if each.cut:
                detail = f"the record does not end with {each.cut}, which its fields select"
                for row in chosen.tolist():
                    view.note(row, "(record)", FaultCode.RECORD_LENGTH, 0, detail=detail)
            elif len(chosen):
                inner = view.subset(chosen)
                found.append((each, chosen, [node.read(inner) for _, node in each.members]))
        for row in np.flatnonzero(open_rows).tolist():
            view.note(row, self.label, FaultCode.NO_VARIANT, self.offset)
        return found

    def pieces(self, values: list[Chosen], count: int, text: JsonText) -> list[Piece]:
        """The JSON members of each row's alternative, without braces."""
        texts = []
        for each, chosen, inner in values:
            pieces = member_pieces(each.members, inner, len(chosen), text)
            texts.append((chosen, text.lay_out(pieces, len(chosen))))
        out = np.zeros((count, max((laid.shape[1] for _, laid in texts), default=0)), np.uint8)
        for chosen, laid in texts:
            out[chosen, : laid.shape[1]] = laid
        return [out]

    def python(self, values: list[Chosen], count: int) -> list[Any]:
        """The (name, value) pairs of each row's alternative."""
        out: list[Pairs] = [[] for _ in range(count)]
        for each, chosen, inner in values:
            pairs = member_pairs(each.members, inner, len(chosen))
            for row, pair in zip(chosen.tolist(), pairs, strict=True):
                out[row] = list(pair)
        return out

    def write(self, values: Sequence[Any], view: RowView) -> None:
        """Write the alternative whose members each document has."""
        taken = self._taken(values, view)
        for at, each in enumerate(self.alternatives):
            chosen = np.flatnonzero(taken == at)
            if not len(chosen):
                continue
            inner = view.subset(chosen)
            documents = [values[row] for row in chosen.tolist()]
            for name, node in each.members:
                node.write(_given(name, documents), inner)
            inner.write_back()

    def _taken(self, values: Sequence[Any], view: RowView) -> NDArray[np.intp]:
        """The alternative of each document, or -1.

        If members of several have the same names, the selecting fields, which are written by now,
        decide as they do in `read`.
        """
        taken = np.zeros(len(values), np.intp) - 1
        chosen = self._selected(view)
        every = frozenset().union(*(each.names for each in self.alternatives))
        for row, document in enumerate(values):
            given = document.keys() & every
            fitting = [at for at, each in enumerate(self.alternatives) if given <= each.names]
            if given and fitting:
                taken[row] = chosen[row] if chosen[row] in fitting else fitting[0]
            elif given or view.kept is None or not view.kept[row]:
                code = FaultCode.UNKNOWN_FIELD if given else FaultCode.MISSING
                detail = "give exactly one of the items that share these bytes"
                view.note(row, self.label, code, self.offset, detail=detail)
        return taken

    def _selected(self, view: RowView) -> list[int]:
        """The number of the alternative that the selecting fields choose for each row, or -1."""
        found = np.zeros(len(view.rows), np.intp) - 1
        for at, each in enumerate(self.alternatives):
            here = found < 0
            for test in each.tests:
                here &= test.holds(view)
            found[here] = at
        return found.tolist()


@dataclass(frozen=True, slots=True)
class Group:
    """A group item: named members in order. A RedefinesChoice has no name."""

    label: str
    offset: int
    members: "Members"

    def read(self, view: RowView) -> list[Any]:
        """The values of each member."""
        return [node.read(view) for _, node in self.members]

    def pieces(self, values: list[Any], count: int, text: JsonText) -> list[Piece]:
        """An object."""
        return [b"{", *member_pieces(self.members, values, count, text), b"}"]

    def python(self, values: list[Any], count: int) -> list[Any]:
        """A dict for each row."""
        return list(map(dict, member_pairs(self.members, values, count)))

    def write(self, values: Sequence[Any], view: RowView) -> None:
        """Write the members of each row's mapping."""
        for row, value in enumerate(values):
            if not isinstance(value, Mapping) and value is not MISSING:
                view.note(
                    row, self.label, FaultCode.WRONG_TYPE, self.offset, detail="not an object"
                )
        given = [each if isinstance(each, Mapping) else {} for each in values]
        self._refuse_unknown(given, view)
        for name, node in sorted(self.members, key=_turn):  # selecting fields first
            node.write(_given(name, given), view)

    def _refuse_unknown(self, given: Sequence[Mapping[str, Any]], view: RowView) -> None:
        known = set(names_of(self.members))
        for row, document in enumerate(given):
            for name in document.keys() - known:
                view.note(
                    row,
                    f"{self.label}.{_shown(name)}".strip("."),
                    FaultCode.UNKNOWN_FIELD,
                    self.offset,
                )


Members = tuple[tuple[str, Node], ...]  # the name of a RedefinesChoice is ""


def names_of(members: Members) -> Iterable[str]:
    """All member names that a document may have here."""
    for name, node in members:
        if isinstance(node, RedefinesChoice):
            for each in node.alternatives:
                yield from each.names
        else:
            yield name


def member_pieces(members: Members, values: list[Any], count: int, text: JsonText) -> list[Piece]:
    """The JSON members of an object, with commas."""
    found: list[Piece] = []
    for (name, node), value in zip(members, values, strict=True):
        if found:
            found.append(b",")
        if name:
            found.append(msgspec.json.encode(name) + b":")
        found += node.pieces(value, count, text)
    return found


def member_pairs(
    members: Members, values: list[Any], count: int
) -> list[Iterable[tuple[str, Any]]]:
    """The (name, value) pairs of each row."""
    plain = [at for at, (name, _) in enumerate(members) if name]
    names = [members[at][0] for at in plain]
    columns = [members[at][1].python(values[at], count) for at in plain]
    if len(plain) == len(members):
        rows = zip(*columns, strict=True) if columns else iter([()] * count)
        return [zip(names, row, strict=True) for row in rows]
    out: list[Iterable[tuple[str, Any]]] = []
    choices = [
        members[at][1].python(values[at], count) for at in range(len(members)) if at not in plain
    ]
    for row in range(count):
        pairs: Pairs = [(name, column[row]) for name, column in zip(names, columns, strict=True)]
        for each in choices:
            pairs += each[row]
        out.append(pairs)
    return out


def _turn(member: tuple[str, Node]) -> int:
    """When to write a member: items, groups and tables, variants."""
    node = member[1]
    return 0 if isinstance(node, Leaf) else 1 + isinstance(node, RedefinesChoice)


def _given(name: str, documents: Sequence[Mapping[str, Any]]) -> list[Any]:
    """The part of each document for a member; a RedefinesChoice gets the whole document."""
    return [each.get(name, MISSING) for each in documents] if name else list(documents)


def _shown(name: str) -> str:
    """An unknown name, unless it looks like personal data and not like an identifier."""
    return name if _IDENTIFIER.fullmatch(name) else "…"
