"""The rules of lint. Each yields hits: rule, pointer (below the location), message."""

import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import lru_cache
from typing import Any

import regress

from gateway.base.json_pointer import escaped
from gateway.contracts.compatibility.dialects import asserted_formats
from gateway.contracts.lint.locations import Location, Role, as_list
from gateway.contracts.lint.profile import Profile
from gateway.contracts.values import Contract, Pattern

Hit = tuple[str, str, str]
SAFE = 2**53 - 1  # the largest integer up to which a double holds every one
_WORDS = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+")
_PROSE = re.compile(r"[a-z0-9]+")
_ONLY_NARROWS = {"const", "enum", "required", "not"}


def contract_hits(contract: Contract, profile: Profile) -> Iterator[Hit]:
    """The hits of all rules about the facts of a contract."""
    yield from _contract_explained(contract)
    yield from _type_name(contract, profile)
    yield from _ordering(contract, profile)


def _contract_explained(contract: Contract) -> Iterator[Hit]:
    if not contract.title.strip():
        yield "title", "/title", "the contract has no title"
    if not contract.description.strip():
        yield "description", "/description", "the contract has no description"


def _type_name(contract: Contract, profile: Profile) -> Iterator[Hit]:
    parts = contract.type.split(".")
    if len(parts) != 6:
        yield "type-name", "/type", f"{contract.type} has {len(parts)} parts, not six"
        return
    entity, fact = parts[3], parts[4]
    for part in (entity, fact):
        for word in profile.discouraged & set(part.split("-")):
            yield "type-name", "/type", f"{word!r} does not say what has happened"
    is_fact = contract.pattern is Pattern.PUBLISH_SUBSCRIBE
    if is_fact and not fact.startswith(profile.accomplished):
        yield "fact-name", "/type", f"{fact!r} does not read like an accomplished fact"


def _ordering(contract: Contract, profile: Profile) -> Iterator[Hit]:
    key = contract.ordering.key
    if not key:
        yield "ordering", "/ordering/key", "the contract names no ordering key"
    elif key == "id" and contract.pattern.value not in profile.unordered:
        yield "ordering", "/ordering/key", "every event has its own key, so no order is kept"
    if not contract.ordering.description.strip():
        yield "ordering", "/ordering/description", f"the meaning of {key or 'the key'} is missing"


def schema_hits(location: Location, profile: Profile) -> Iterator[Hit]:
    """The hits of all rules at one location."""
    for rule in _RULES:
        yield from rule(location, profile)


def _explained(location: Location, _: Profile) -> Iterator[Hit]:
    if not location.describes or set(location.schema) <= _ONLY_NARROWS:
        return
    for keyword in ("title", "description"):
        text = location.effective.get(keyword)
        if not isinstance(text, str) or not text.strip():
            yield keyword, "", f"{_named(location)} has no {keyword}"


def _open_or_closed(location: Location, _: Profile) -> Iterator[Hit]:
    if location.role in (Role.BRANCH, Role.CONDITION):
        return
    is_object = location.schema.get("type") == "object" or "properties" in location.schema
    stated = {"additionalProperties", "unevaluatedProperties"} & set(location.schema)
    if is_object and not stated:
        yield "openness", "", f"{_named(location)} does not say whether it is open or closed"


def _money(location: Location, profile: Profile) -> Iterator[Hit]:
    if location.type_is("number") and is_money(location, profile) and not _stated_unit(location):
        yield "money", "", f"{_named(location)} is money of type number"


def is_money(location: Location, profile: Profile) -> bool:
    """Whether a location holds an amount of money, as far as names and words tell."""
    if profile.relations & words(location.name):
        return False
    return bool(
        profile.money & words(location.name) or profile.currencies & set(_prose(location))
    ) and location.role not in (Role.BRANCH, Role.CONDITION)


def _unit(location: Location, profile: Profile) -> Iterator[Hit]:
    if location.role is not Role.PROPERTY or {"enum", "const"} & set(location.effective):
        return
    measured = location.type_is("number") or (
        location.type_is("integer")
        and (bool(profile.quantities & words(location.name)) or is_money(location, profile))
    )
    if measured and not _has_unit(location, profile):
        yield "unit", "", f"{_named(location)} does not say its unit"


def _has_unit(location: Location, profile: Profile) -> bool:
    last = location.name.lower().rpartition("_")[2]
    in_name = "_" in location.name and last in profile.units
    return _stated_unit(location) or in_name or bool(profile.units & set(_prose(location)))


def _stated_unit(location: Location) -> bool:
    stated = location.effective.get("x-unit")
    return isinstance(stated, str) and bool(stated.strip())


def _integer_range(location: Location, _: Profile) -> Iterator[Hit]:
    schema = location.schema
    if location.role is Role.CONDITION:
        return
    listed = [*as_list(schema.get("enum")), *([schema["const"]] if "const" in schema else [])]
    if any(type(value) is int and abs(value) > SAFE for value in listed):
        yield "integer-range", "", f"{_named(location)} lists an integer beyond 2^53 - 1"
    if "integer" not in as_list(schema.get("type")) or {"enum", "const"} & set(schema):
        return
    if not (_at_most(schema, "maximum", SAFE) or _at_most(schema, "exclusiveMaximum", SAFE + 1)):
        yield "integer-range", "", f"{_named(location)} has no maximum within 2^53 - 1"
    elif not (_at_most(schema, "minimum", SAFE) or _at_most(schema, "exclusiveMinimum", SAFE + 1)):
        yield "integer-range", "", f"{_named(location)} has no minimum within -(2^53 - 1)"


def _patterns(location: Location, _: Profile) -> Iterator[Hit]:
    found = [("/pattern", location.schema["pattern"])] if "pattern" in location.schema else []
    named = location.schema.get("patternProperties")
    if isinstance(named, dict):
        found += [(f"/patternProperties/{escaped(pattern)}", pattern) for pattern in named]
    for step, pattern in found:
        if isinstance(pattern, str):
            yield from _pattern(location, step, pattern)


def _pattern(location: Location, step: str, pattern: str) -> Iterator[Hit]:
    try:
        regress.Regex(pattern, "u")
    except regress.RegressError as error:
        yield "pattern", step, f"the pattern of {_named(location)} is not ECMA-262: {error}"
        return
    if not (pattern.startswith("^") and pattern.endswith("$")):
        yield (
            "pattern-anchored",
            step,
            f"the pattern of {_named(location)} matches parts of the text",
        )


def _format(location: Location, _: Profile) -> Iterator[Hit]:
    name = location.schema.get("format")
    if isinstance(name, str) and name not in asserted_formats(location.root):
        yield "format", "/format", f"the format {name[:40]!r} of {_named(location)} checks nothing"


def _bounds(location: Location, _: Profile) -> Iterator[Hit]:
    schema = location.schema
    if location.role in (Role.BRANCH, Role.CONDITION) or {"enum", "const"} & set(schema):
        return
    if "string" in as_list(schema.get("type")) and "maxLength" not in schema:
        yield "bounds", "", f"{_named(location)} is a string of any length"
    if "array" in as_list(schema.get("type")) and "maxItems" not in schema:
        yield "bounds", "", f"{_named(location)} is an array of any length"


def _personal(location: Location, profile: Profile) -> Iterator[Hit]:
    mark = location.effective.get("x-pii")
    if location.role is Role.PROPERTY and mark is None and _carries_text(location):
        kind = profile.personal_kind("_".join(_WORDS.findall(location.name)).lower())
        if kind is not None:
            yield (
                "personal-data",
                "",
                f"{_named(location)} looks like personal data ({kind}), unmarked",
            )
    own = location.schema.get("x-pii")
    if own is not None and own is not False and str(own) not in profile.personal:
        yield "personal-data-kind", "/x-pii", f"{str(own)[:40]!r} is not a kind of personal data"


def _carries_text(location: Location) -> bool:
    """Whether a value here can be personal data; a boolean or a choice from a list cannot."""
    if {"enum", "const"} & set(location.effective):
        return False
    return "type" not in location.effective or location.type_is(
        "string", "integer", "number", "array"
    )


_RULES: tuple[Callable[[Location, Profile], Iterator[Hit]], ...] = (
    _explained,
    _open_or_closed,
    _money,
    _unit,
    _integer_range,
    _patterns,
    _format,
    _bounds,
    _personal,
)


@lru_cache(maxsize=4096)
def words(name: str) -> frozenset[str]:
    """The words of a name in snake_case or camelCase, in lower case."""
    return frozenset(word.lower() for word in _WORDS.findall(name))


def _prose(location: Location) -> list[str]:
    return _PROSE.findall(location.prose.lower())


def _at_most(schema: Any, keyword: str, most: int) -> bool:
    """Whether a bound exists and is at most this far from zero."""
    bound = schema.get(keyword)
    if not isinstance(bound, int | Decimal):
        return False
    return bound <= most if "max" in keyword.lower() else bound >= -most


def _named(location: Location) -> str:
    match location.role:
        case Role.ROOT:
            return "the schema"
        case Role.DEFINITION:
            return f"the definition {location.name}"
        case _:
            return location.name or "this part of the schema"
