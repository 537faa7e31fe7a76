"""Strings that match a pattern or a format, for candidate documents.

They are guesses: the caller lets the validators decide.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from random import Random
from typing import Any

_parser: Any = vars(re)["_parser"]  # the only pattern parser in the standard library

_VARIANTS = 6
_MOST = 40  # repeats of an open quantifier
_PRINTABLE = "aZ0_-. /x9é"

FORMATS: dict[str, tuple[str, ...]] = {
    "date-time": ("2024-02-29T23:59:59Z", "2026-01-31T08:00:00.5+07:00"),
    "date": ("2024-02-29", "2026-01-31"),
    "time": ("08:00:00Z", "23:59:59.5+07:00"),
    "duration": ("P1D", "PT1H30M", "P3W"),
    "email": ("budi@example.go.id",),
    "idn-email": ("budi@example.go.id", "bu\u00e9@example.go.id"),
    "hostname": ("layanan.go.id", "a"),
    "idn-hostname": ("layanan.go.id",),
    "ipv4": ("10.0.0.1", "255.255.255.255"),
    "ipv6": ("::1", "2001:db8::8"),
    "uri": ("https://layanan.go.id/a?b=c", "urn:a:b"),
    "uri-reference": ("https://layanan.go.id/a", "/a", ""),
    "iri": ("https://layanan.go.id/\u00e9",),
    "iri-reference": ("https://layanan.go.id/\u00e9", "/a"),
    "uri-template": ("https://layanan.go.id/{a}", "x"),
    "uuid": ("0190b1f0-7c1e-7d3a-9c55-0242ac120002", "123e4567-e89b-12d3-a456-426614174000"),
    "json-pointer": ("", "/a/0"),
    "relative-json-pointer": ("0", "1/a"),
    "regex": ("^a+$", "x"),
}


@dataclass
class _Choices:
    """How one string is generated: which branches are taken, and how often groups are repeated."""

    random: Random
    variant: int = 0
    spare: int | None = None  # characters still to be filled by repeats


@lru_cache(maxsize=512)
def matching(pattern: str) -> tuple[str, ...]:
    """A few strings that a pattern probably accepts: short ones first, then longer ones."""
    tree = _tree(pattern)
    choices = [_Choices(Random(variant), variant) for variant in range(_VARIANTS)]  # noqa: S311
    return tuple(dict.fromkeys("".join(_generate(tree, each)) for each in choices))


@lru_cache(maxsize=512)
def stretched(pattern: str, size: int) -> str:
    """A string of about this length that a pattern probably accepts."""
    tree = _tree(pattern)
    shortest = len("".join(_generate(tree, _Choices(Random(0)))))  # noqa: S311 - no secret
    choices = _Choices(Random(0), spare=max(size - shortest, 0))  # noqa: S311 - no secret
    return "".join(_generate(tree, choices))


def _tree(pattern: str) -> Any:
    try:
        return _parser.parse(_python(pattern))
    except (re.error, OverflowError, RecursionError):
        return ()


def _python(pattern: str) -> str:
    """An ECMA-262 pattern in the syntax of the standard library, where they differ."""
    pattern = re.sub(r"\\u\{?([0-9A-Fa-f]{4})\}?", r"\\u\1", pattern)
    pattern = re.sub(r"\\c[A-Za-z]", "", pattern)
    pattern = re.sub(r"\\p\{(?:L|Letter|Lu|Ll)\}", "A", pattern)
    return re.sub(r"\\p\{(?:N|Nd)\}", "1", pattern)


def _generate(tree: Any, choices: _Choices) -> Iterator[str]:
    for operation, argument in tree:
        match str(operation):
            case "BRANCH":
                yield from _generate(argument[1][choices.variant % len(argument[1])], choices)
            case "SUBPATTERN":
                yield from _generate(argument[-1], choices)
            case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
                low, high, inner = argument
                for _ in range(_count(int(low), int(high), choices)):
                    yield from _generate(inner, choices)
            case name:
                yield _character(name, argument, choices.random)


def _character(name: str, argument: Any, random: Random) -> str:
    match name:
        case "LITERAL":
            return chr(argument)
        case "NOT_LITERAL":
            return next(each for each in _PRINTABLE if ord(each) != argument)
        case "ANY":
            return random.choice(_PRINTABLE)
        case "IN":
            return _one_of(argument, random)
        case "CATEGORY":
            return _of_category(str(argument), random)
    return ""  # an anchor or a look around: what it asks is left to luck


def _count(low: int, high: int, choices: _Choices) -> int:
    if choices.spare is not None:
        more = min(high - low, choices.spare)
        choices.spare -= more
        return low + more
    top = min(high, low + _MOST)
    if choices.variant <= 1:
        return min(top, low + choices.variant)
    return top if choices.variant == _VARIANTS - 1 else choices.random.randint(low, top)


def _one_of(choices: Any, random: Random) -> str:
    negated = any(str(operation) == "NEGATE" for operation, _ in choices)
    if negated:
        return _outside(choices, random)
    operation, argument = random.choice(list(choices))
    name = str(operation)
    if name == "LITERAL":
        return chr(argument)
    if name == "RANGE":
        return chr(random.choice((argument[0], argument[1], random.randint(*argument))))
    return _of_category(str(argument), random)


def _outside(choices: Any, random: Random) -> str:
    candidates = [*_PRINTABLE, *map(chr, range(33, 127))]
    start = random.randrange(4)
    for each in [*candidates[start:], *candidates[:start], "\u4e2d"]:
        if not any(_holds(operation, argument, each) for operation, argument in choices):
            return str(each)
    return ""


def _holds(operation: Any, argument: Any, text: str) -> bool:
    name = str(operation)
    if name == "LITERAL":
        return bool(ord(text) == argument)
    if name == "RANGE":
        return bool(argument[0] <= ord(text) <= argument[1])
    if name == "CATEGORY":
        kind = str(argument)
        found = {"DIGIT": text.isdigit(), "SPACE": text.isspace()}.get(
            kind.rpartition("_")[2], text.isalnum() or text == "_"
        )
        return found is not ("NOT" in kind)
    return False


def _of_category(name: str, random: Random) -> str:
    kind = name.rpartition("_")[2]
    inside = {"DIGIT": "0123456789", "SPACE": " "}.get(kind, "aZ0_")
    outside = {"DIGIT": "a-", "SPACE": "a0"}.get(kind, "- ")
    return random.choice(outside if "NOT" in name else inside)
