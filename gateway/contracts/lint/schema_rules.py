"""Rules about schemas. Each tells of one place what is wrong there, as (rule, step, message)."""

import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import lru_cache
from typing import Any

import regress

from gateway.contracts.keywords import escaped
from gateway.contracts.lint.places import Place, Role, as_list
from gateway.contracts.lint.profile import Profile

Told = tuple[str, str, str]
SAFE = 2**53 - 1  # the largest integer up to which a double holds every one
_WORDS = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+")
_PROSE = re.compile(r"[a-z0-9]+")
_ONLY_NARROWS = {"const", "enum", "required", "not"}


def told(place: Place, profile: Profile) -> Iterator[Told]:
    """What all rules say of one place."""
    for rule in _RULES:
        yield from rule(place, profile)


def _explained(place: Place, _: Profile) -> Iterator[Told]:
    if not place.describes or set(place.schema) <= _ONLY_NARROWS:
        return
    for keyword in ("title", "description"):
        text = place.effective.get(keyword)
        if not isinstance(text, str) or not text.strip():
            yield keyword, "", f"{_named(place)} has no {keyword}"


def _open_or_closed(place: Place, _: Profile) -> Iterator[Told]:
    if place.role in (Role.BRANCH, Role.CONDITION):
        return
    is_object = place.schema.get("type") == "object" or "properties" in place.schema
    said = {"additionalProperties", "unevaluatedProperties"} & set(place.schema)
    if is_object and not said:
        yield "openness", "", f"{_named(place)} does not say whether it is open or closed"


def _money(place: Place, profile: Profile) -> Iterator[Told]:
    if place.type_is("number") and is_money(place, profile):
        yield "money", "", f"{_named(place)} is money of type number"


def is_money(place: Place, profile: Profile) -> bool:
    """Whether a place holds an amount of money, as far as names and words tell."""
    return bool(
        profile.money & words(place.name) or profile.currencies & set(_prose(place))
    ) and place.role not in (Role.BRANCH, Role.CONDITION)


def _unit(place: Place, profile: Profile) -> Iterator[Told]:
    if place.role is not Role.PROPERTY or {"enum", "const"} & set(place.effective):
        return
    measured = place.type_is("number") or (
        place.type_is("integer")
        and (bool(profile.quantities & words(place.name)) or is_money(place, profile))
    )
    if measured and not _has_unit(place, profile):
        yield "unit", "", f"{_named(place)} does not say its unit"


def _has_unit(place: Place, profile: Profile) -> bool:
    stated = place.effective.get("x-unit")
    last = place.name.lower().rpartition("_")[2]
    in_name = "_" in place.name and last in profile.units
    return (
        bool(isinstance(stated, str) and stated.strip())
        or in_name
        or bool(profile.units & set(_prose(place)))
    )


def _integer_range(place: Place, _: Profile) -> Iterator[Told]:
    schema = place.schema
    if place.role is Role.CONDITION:
        return
    listed = [*as_list(schema.get("enum")), *([schema["const"]] if "const" in schema else [])]
    if any(type(value) is int and abs(value) > SAFE for value in listed):
        yield "integer-range", "", f"{_named(place)} lists an integer beyond 2^53 - 1"
    if "integer" not in as_list(schema.get("type")) or {"enum", "const"} & set(schema):
        return
    if not (_at_most(schema, "maximum", SAFE) or _at_most(schema, "exclusiveMaximum", SAFE + 1)):
        yield "integer-range", "", f"{_named(place)} has no maximum within 2^53 - 1"
    elif not (_at_most(schema, "minimum", SAFE) or _at_most(schema, "exclusiveMinimum", SAFE + 1)):
        yield "integer-range", "", f"{_named(place)} has no minimum within -(2^53 - 1)"


def _patterns(place: Place, _: Profile) -> Iterator[Told]:
    found = [("/pattern", place.schema["pattern"])] if "pattern" in place.schema else []
    named = place.schema.get("patternProperties")
    if isinstance(named, dict):
        found += [(f"/patternProperties/{escaped(pattern)}", pattern) for pattern in named]
    for step, pattern in found:
        if isinstance(pattern, str):
            yield from _pattern(place, step, pattern)


def _pattern(place: Place, step: str, pattern: str) -> Iterator[Told]:
    try:
        regress.Regex(pattern, "u")
    except regress.RegressError as error:
        yield "pattern", step, f"the pattern of {_named(place)} is not ECMA-262: {error}"
        return
    if not (pattern.startswith("^") and pattern.endswith("$")):
        yield "pattern-anchored", step, f"the pattern of {_named(place)} takes a part of the text"


def _bounds(place: Place, _: Profile) -> Iterator[Told]:
    schema = place.schema
    if place.role in (Role.BRANCH, Role.CONDITION) or {"enum", "const"} & set(schema):
        return
    if "string" in as_list(schema.get("type")) and "maxLength" not in schema:
        yield "bounds", "", f"{_named(place)} is text of any length"
    if "array" in as_list(schema.get("type")) and "maxItems" not in schema:
        yield "bounds", "", f"{_named(place)} is an array of any length"


def _personal(place: Place, profile: Profile) -> Iterator[Told]:
    mark = place.effective.get("x-pii")
    if place.role is Role.PROPERTY and mark is None and _carries_text(place):
        kind = profile.personal_kind("_".join(_WORDS.findall(place.name)).lower())
        if kind is not None:
            yield (
                "personal-data",
                "",
                f"{_named(place)} looks like personal data ({kind}), unmarked",
            )
    own = place.schema.get("x-pii")
    if own is not None and own is not False and str(own) not in profile.personal:
        yield "personal-data-kind", "/x-pii", f"{str(own)[:40]!r} is no kind of personal data"


def _carries_text(place: Place) -> bool:
    """Whether a value of a person can stand here; a yes or no, or a choice from a list, is none."""
    if {"enum", "const"} & set(place.effective):
        return False
    return "type" not in place.effective or place.type_is("string", "integer", "number", "array")


_RULES: tuple[Callable[[Place, Profile], Iterator[Told]], ...] = (
    _explained,
    _open_or_closed,
    _money,
    _unit,
    _integer_range,
    _patterns,
    _bounds,
    _personal,
)


@lru_cache(maxsize=4096)
def words(name: str) -> frozenset[str]:
    """The words of a name in snake_case or camelCase, in lower case."""
    return frozenset(word.lower() for word in _WORDS.findall(name))


def _prose(place: Place) -> list[str]:
    return _PROSE.findall(place.prose.lower())


def _at_most(schema: Any, keyword: str, most: int) -> bool:
    """Whether a bound is there and this far from zero at most, in its own direction."""
    bound = schema.get(keyword)
    if not isinstance(bound, int | Decimal):
        return False
    return bound <= most if "max" in keyword.lower() else bound >= -most


def _named(place: Place) -> str:
    match place.role:
        case Role.ROOT:
            return "the schema"
        case Role.DEFINITION:
            return f"the definition {place.name}"
        case _:
            return place.name or "this part of the schema"
