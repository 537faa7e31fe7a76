"""The changes between two schemas, in plain words. They explain a comparison and prove nothing."""

from collections.abc import Iterator
from typing import Any

import msgspec

from gateway.base.json_pointer import escaped
from gateway.contracts.compatibility.languages import included
from gateway.contracts.compatibility.values import Change

LISTED = 50
_DEPTH = 40
_TEXT = 80  # characters of a value in a sentence

# keyword: (what it bounds, whether a higher number accepts less)
_BOUNDS = {
    "minimum": ("minimum", True),
    "exclusiveMinimum": ("exclusive minimum", True),
    "maximum": ("maximum", False),
    "exclusiveMaximum": ("exclusive maximum", False),
    "minLength": ("shortest length", True),
    "maxLength": ("longest length", False),
    "minItems": ("least number of elements", True),
    "maxItems": ("greatest number of elements", False),
    "minProperties": ("least number of members", True),
    "maxProperties": ("greatest number of members", False),
    "minContains": ("least number of matching elements", True),
    "maxContains": ("greatest number of matching elements", False),
}
_PLAIN = (
    *("multipleOf", "uniqueItems", "not", "if", "then", "else", "contains", "propertyNames"),
    *("dependentRequired", "dependentSchemas", "unevaluatedProperties", "unevaluatedItems"),
)
_SIMPLE = ("boolean", "null", "object", "array", "string", "number")

_encode = msgspec.json.Encoder(decimal_format="number", order="deterministic").encode


def changes(old: Any, new: Any) -> tuple[Change, ...]:
    """The changes between two schemas in normal form, at most 50, with pointers into the data."""
    found = _SchemaDiff(old, new).at("", old, new)
    listed: dict[Change, None] = {}
    for change in found:
        listed[change] = None
        if len(listed) == LISTED:
            break
    return tuple(listed)


class _SchemaDiff:
    def __init__(self, old: Any, new: Any) -> None:
        self._old = old.get("$defs", {}) if isinstance(old, dict) else {}
        self._new = new.get("$defs", {}) if isinstance(new, dict) else {}
        self._equal: set[tuple[str | int, str | int]] = set()  # pairs without a difference
        self._active: set[tuple[str | int, str | int]] = set()  # pairs that are being compared

    def at(self, pointer: str, old: Any, new: Any) -> Iterator[Change]:
        """The changes at a location and below it."""
        pair = (_key(old), _key(new))
        if pair in self._equal or pair in self._active or pointer.count("/") > _DEPTH:
            return
        self._active.add(pair)
        differs = False
        for change in self._inside(pointer, old, new):
            differs = True
            yield change
        self._active.discard(pair)
        if not differs:
            self._equal.add(pair)

    def _inside(self, pointer: str, old: Any, new: Any) -> Iterator[Change]:
        old, new = _resolved(old, self._old), _resolved(new, self._new)
        if isinstance(old, bool) or isinstance(new, bool):
            if old != new:
                yield Change(pointer, _boolean(old, new))
            return
        for text in _here(old, new):
            yield Change(pointer, text)
        yield from self._members(pointer, old, new)
        yield from self._elements(pointer, old, new)
        yield from self._branches(pointer, old, new)

    def _members(self, pointer: str, old: dict[str, Any], new: dict[str, Any]) -> Iterator[Change]:
        before, after = old.get("properties", {}), new.get("properties", {})
        must_before, must_after = set(old.get("required", ())), set(new.get("required", ()))
        for name in [*before, *(each for each in after if each not in before)]:
            member = f"{pointer}/{escaped(name)}"
            if name not in after:
                yield Change(member, "is no longer described")
            elif name not in before:
                kind = "a required" if name in must_after else "an optional"
                yield Change(member, f"was added as {kind} member")
            else:
                yield from self.at(member, before[name], after[name])
        for name in sorted(must_after - must_before):
            if name in before or name not in after:
                yield Change(f"{pointer}/{escaped(name)}", "became required")
        for name in sorted(must_before - must_after):
            yield Change(f"{pointer}/{escaped(name)}", "is no longer required")
        yield from self._others(pointer, old, new)

    def _others(self, pointer: str, old: dict[str, Any], new: dict[str, Any]) -> Iterator[Change]:
        """Members that no name in `properties` describes."""
        before = old.get("additionalProperties", True)
        after = new.get("additionalProperties", True)
        if before is not False and after is False:
            yield Change(pointer, "members that are not described are no longer accepted")
        elif before is False and after is not False:
            yield Change(pointer, "members that are not described are accepted now")
        else:
            yield from self.at(f"{pointer}/*", before, after)
        groups, later = old.get("patternProperties", {}), new.get("patternProperties", {})
        for pattern in sorted(groups.keys() | later.keys()):
            one, other = groups.get(pattern, True), later.get(pattern, True)
            yield from self.at(f"{pointer}/{{{escaped(pattern)}}}", one, other)

    def _elements(self, pointer: str, old: dict[str, Any], new: dict[str, Any]) -> Iterator[Change]:
        before, after = old.get("prefixItems", []), new.get("prefixItems", [])
        rest_before, rest_after = old.get("items", True), new.get("items", True)
        for index in range(max(len(before), len(after))):
            one = before[index] if index < len(before) else rest_before
            other = after[index] if index < len(after) else rest_after
            yield from self.at(f"{pointer}/{index}", one, other)
        yield from self.at(f"{pointer}/*", rest_before, rest_after)

    def _branches(self, pointer: str, old: dict[str, Any], new: dict[str, Any]) -> Iterator[Change]:
        for keyword in ("allOf", "anyOf", "oneOf"):
            before, after = old.get(keyword, []), new.get(keyword, [])
            if len(before) == len(after):
                for one, other in zip(before, after, strict=True):
                    yield from self.at(pointer, one, other)
            else:
                change = f"{keyword} has {len(after)} branches; before, it had {len(before)}"
                yield Change(pointer, change)


def _here(old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
    yield from _types(old, new)
    yield from _choices(old, new)
    for keyword, (name, more_is_less) in _BOUNDS.items():
        yield from _bound(name, old.get(keyword), new.get(keyword), more_is_less)
    yield from _pattern(old.get("pattern"), new.get("pattern"))
    yield from _plain("format", old.get("format"), new.get("format"))
    for keyword in _PLAIN:
        yield from _plain(keyword, old.get(keyword), new.get(keyword))


def _pattern(before: str | None, after: str | None) -> Iterator[str]:
    if before is None or after is None or before == after:
        yield from _plain("pattern", before, after)
        return
    narrower, wider = included(after, before), included(before, after)
    if narrower and wider:
        return
    became = "became narrower" if narrower else "became wider" if wider else "changed"
    yield f"pattern {became}: from {before} to {after}"


def _key(schema: Any) -> str | int:
    """The identity of a schema: the target of its `$ref`, or the object itself."""
    if isinstance(schema, dict) and schema.keys() == {"$ref"}:
        return str(schema["$ref"])
    return str(schema) if isinstance(schema, bool) else id(schema)


def _resolved(schema: Any, definitions: dict[str, Any]) -> Any:
    """A schema with the target of its `$ref` merged in, followed step by step."""
    for _ in range(_DEPTH):
        if not isinstance(schema, dict) or "$ref" not in schema:
            break
        target = definitions[schema["$ref"].removeprefix("#/$defs/")]
        beside = {key: value for key, value in schema.items() if key not in ("$ref", "$defs")}
        if isinstance(target, bool):
            return target and (beside or True)
        schema = target | beside
    return schema


def _types(old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
    before, after = _type_set(old), _type_set(new)
    lost, gained = before - after, after - before
    if "number" in lost and "integer" in gained:
        yield "numbers must be integers now"
        lost, gained = lost - {"number"}, gained - {"integer"}
    if "integer" in lost and "number" in after:
        yield "numbers with a fraction are accepted now"
        lost, gained = lost - {"integer"}, gained - {"number"}
    if lost:
        yield f"type {' or '.join(sorted(lost))} is no longer accepted"
    if gained:
        yield f"type {' or '.join(sorted(gained))} is accepted now"


def _type_set(schema: dict[str, Any]) -> set[str]:
    named = schema.get("type", _SIMPLE)
    return {named} if isinstance(named, str) else set(named)


def _choices(old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
    before, after = _values(old), _values(new)
    if before is None or after is None:
        if before is not after:
            if after is None:
                yield f"any value is accepted now, instead of {_short(before)}"
            else:
                yield f"only these values are accepted now: {_short(after)}"
        return
    one, other = {_encode(each): each for each in before}, {_encode(each): each for each in after}
    lost = [value for written, value in one.items() if written not in other]
    gained = [value for written, value in other.items() if written not in one]
    if lost:
        yield f"no longer accepted: {', '.join(map(_short, lost[:8]))}"
    if gained:
        yield f"accepted now: {', '.join(map(_short, gained[:8]))}"


def _values(schema: dict[str, Any]) -> list[Any] | None:
    if "const" in schema:
        return [schema["const"]]
    return schema.get("enum")


def _bound(name: str, before: Any, after: Any, more_is_less: bool) -> Iterator[str]:
    if before == after:
        return
    if before is None:
        yield f"{name} {after} was added"
    elif after is None:
        yield f"{name} {before} was removed"
    else:
        moved = "rose" if after > before else "fell"
        effect = "narrower" if (after > before) is more_is_less else "wider"
        yield f"{name} {moved} from {before} to {after} ({effect})"


def _plain(keyword: str, before: Any, after: Any) -> Iterator[str]:
    if before == after:
        return
    if before is None:
        yield f"{keyword} was added: {_short(after)}"
    elif after is None:
        yield f"{keyword} was removed: {_short(before)}"
    else:
        yield f"{keyword} changed: from {_short(before)} to {_short(after)}"


def _boolean(old: Any, new: Any) -> str:
    if new is False:
        return "no value is accepted any more"
    if old is False:
        return "values are accepted now; before, none were"
    if new is True:
        return "any value is accepted now"
    return "any value was accepted, now only some are"


def _short(value: Any) -> str:
    text = _encode(value).decode()
    return text if len(text) <= _TEXT else text[: _TEXT - 1] + "…"
