"""Inclusion of one pattern's language in another's, by finite automata.

Patterns are read as ECMA-262 without flags, as JSON Schema requires (validation specification 4.3):
unanchored, `\\d`, `\\w` in ASCII. Patterns that are not regular (look-around, back references) or
too large are not decided.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

_parser: Any = vars(re)["_parser"]  # the only pattern parser in the standard library

_STATES = 4000  # of one automaton
_WORK = 3_000_000  # states visited in one comparison, at most: about a second
_TOP = 0x10FFFF

Interval = tuple[int, int]
_DIGIT = ((48, 57),)
_WORD = ((48, 57), (65, 90), (95, 95), (97, 122))
_SPACE = (
    *((9, 13), (32, 32), (0xA0, 0xA0), (0x1680, 0x1680), (0x2000, 0x200A), (0x2028, 0x2029)),
    *((0x202F, 0x202F), (0x205F, 0x205F), (0x3000, 0x3000), (0xFEFF, 0xFEFF)),
)
_LINE_ENDS = ((10, 10), (13, 13), (0x2028, 0x2029))


class _TooHard(Exception):
    """The pattern is not regular, or its automaton is too big."""


def included(narrow: str, wide: str, most: int | None = None) -> bool | None:
    """Whether `wide` accepts every string that `narrow` accepts; None if it is not decided.

    With `most`, only strings of at most that many characters count.
    """
    try:
        return _included(_automaton(narrow), _automaton(wide), most)
    except (_TooHard, re.error, OverflowError, RecursionError):
        return None


def lengths(pattern: str) -> tuple[int, int | None]:
    """Bounds on the length of the strings that a pattern accepts; (0, None) is no bound."""
    try:
        tree = _parser.parse(_ecma(pattern))
    except (re.error, OverflowError, RecursionError):
        return 0, None
    least, most = tree.getwidth()
    anchors = [str(argument) for operation, argument in tree if str(operation) == "AT"]
    whole = anchors == ["AT_BEGINNING", "AT_END"] and _ends(tree) == ("AT", "AT")
    return int(least), int(most) if whole and most < _STATES else None


def _ends(tree: Any) -> tuple[str, str]:
    operations = [str(operation) for operation, _ in tree]
    return operations[0], operations[-1]


def _ecma(pattern: str) -> str:
    """The pattern in the syntax of `re`. Raises re.error where `re` gives it another meaning."""
    if re.search(r"\\[AZzbBGpPkc0-9]|\\x(?![0-9A-Fa-f]{2})|\(\?(?!:)|\\u\{", pattern):
        raise re.error("unsupported syntax")
    return pattern.replace(r"\/", "/").replace(r"\-", r"\x2d")


@dataclass
class _Automaton:
    """A nondeterministic automaton. State 0 is the start, state 1 accepts."""

    moves: list[list[tuple[Interval, int]]] = field(default_factory=lambda: [[], []])
    free: list[list[int]] = field(default_factory=lambda: [[], []])
    at_start: list[list[int]] = field(default_factory=lambda: [[], []])
    at_end: list[list[int]] = field(default_factory=lambda: [[], []])

    def state(self) -> int:
        if len(self.moves) == _STATES:
            raise _TooHard
        for each in (self.moves, self.free, self.at_start, self.at_end):
            each.append([])
        return len(self.moves) - 1

    def closure(self, states: Iterable[int], *, start: bool, end: bool) -> frozenset[int]:
        """The states that are reached without a character."""
        found, pending = set(states), list(states)
        while pending:
            state = pending.pop()
            reached = [*self.free[state]]
            reached += self.at_start[state] if start else []
            reached += self.at_end[state] if end else []
            for each in reached:
                if each not in found:
                    found.add(each)
                    pending.append(each)
        return frozenset(found)

    def after(self, states: frozenset[int], point: int) -> frozenset[int]:
        """The states after one character."""
        reached = {
            target
            for state in states
            for (low, high), target in self.moves[state]
            if low <= point <= high
        }
        return self.closure(reached, start=False, end=False)

    def accepts_after(self, states: frozenset[int], *, start: bool) -> bool:
        """Whether a string that ends here is accepted."""
        return 1 in self.closure(states, start=start, end=True)

    def bounds(self) -> set[int]:
        """The characters at which the moves begin to differ."""
        return {p for moves in self.moves for (low, high), _ in moves for p in (low, high + 1)}


@lru_cache(maxsize=64)
def _automaton(pattern: str) -> _Automaton:
    made = _Automaton()
    made.moves[0].append(((0, _TOP), 0))  # a pattern may match anywhere
    made.moves[1].append(((0, _TOP), 1))
    first = made.state()
    made.free[0].append(first)
    made.free[_build(made, _parser.parse(_ecma(pattern)), first)].append(1)
    return made


def _build(made: _Automaton, tree: Any, state: int) -> int:
    """Add the states for a tree after `state`; returns the last one."""
    for operation, argument in tree:
        match str(operation):
            case "AT":
                state = _anchor(made, str(argument), state)
            case "BRANCH":
                ends = [_build(made, branch, state) for branch in argument[1]]
                state = made.state()
                for end in ends:
                    made.free[end].append(state)
            case "SUBPATTERN":
                state = _build(made, argument[-1], state)
            case "MAX_REPEAT" | "MIN_REPEAT":
                state = _repeat(made, argument, state)
            case name:
                target = made.state()
                made.moves[state] += [(each, target) for each in _characters(name, argument)]
                state = target
    return state


def _anchor(made: _Automaton, name: str, state: int) -> int:
    edges = {"AT_BEGINNING": made.at_start, "AT_END": made.at_end}.get(name)
    if edges is None:
        raise _TooHard
    target = made.state()
    edges[state].append(target)
    return target


def _repeat(made: _Automaton, argument: Any, state: int) -> int:
    low, high, inner = int(argument[0]), argument[1], argument[2]
    for _ in range(low):
        state = _build(made, inner, state)
    if str(high) == "MAXREPEAT":
        loop, end = made.state(), made.state()
        made.free[state].append(loop)
        made.free[_build(made, inner, loop)].append(loop)
        made.free[loop].append(end)
        return end
    end = made.state()
    for _ in range(int(high) - low):
        made.free[state].append(end)
        state = _build(made, inner, state)
    made.free[state].append(end)
    return end


def _characters(name: str, argument: Any) -> tuple[Interval, ...]:
    match name:
        case "LITERAL":
            return ((argument, argument),)
        case "NOT_LITERAL":
            return _without(((argument, argument),))
        case "ANY":
            return _without(_LINE_ENDS)
        case "RANGE":
            return ((argument[0], argument[1]),)
        case "CATEGORY":
            return _category(str(argument))
        case "IN":
            listed = [each for each in argument if str(each[0]) != "NEGATE"]
            found = tuple(one for each in listed for one in _characters(str(each[0]), each[1]))
            return found if len(listed) == len(argument) else _without(found)
    raise _TooHard


def _category(name: str) -> tuple[Interval, ...]:
    kind = name.rpartition("_")[2]
    found = {"DIGIT": _DIGIT, "WORD": _WORD, "SPACE": _SPACE}.get(kind)
    if found is None:
        raise _TooHard
    return _without(found) if "NOT" in name else found


def _without(intervals: tuple[Interval, ...]) -> tuple[Interval, ...]:
    """All characters except those."""
    result, low = [], 0
    for start, end in sorted(intervals):
        if start > low:
            result.append((low, start - 1))
        low = max(low, end + 1)
    return (*result, (low, _TOP)) if low <= _TOP else tuple(result)


def _included(narrow: _Automaton, wide: _Automaton, most: int | None) -> bool | None:
    points = sorted({0} | {p for p in narrow.bounds() | wide.bounds() if p <= _TOP})
    first = (
        narrow.closure({0}, start=True, end=False),
        wide.closure({0}, start=True, end=False),
    )
    most_pairs = _WORK // (len(points) * (len(narrow.moves) + len(wide.moves)))
    seen, level, length = {first}, {first}, 0
    while level:
        start = length == 0
        for one, other in level:
            if narrow.accepts_after(one, start=start) and not wide.accepts_after(
                other, start=start
            ):
                return False
        if length == most:
            break
        if len(seen) > most_pairs:
            return None
        level = {
            (narrow.after(one, point), wide.after(other, point))
            for one, other in level
            for point in points
        } - seen
        seen |= level
        length += 1
    return True
