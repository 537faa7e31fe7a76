"""Values that are expensive to validate, as a schema itself suggests them.

The last member of an enum, members that match no pattern, numbers that are slow to compare, texts
that keep a pattern busy, and arrays and objects that are full of those.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from itertools import islice
from typing import Any

import msgspec

from gateway.contracts.compatibility.strings import FORMATS, matching, stretched

_SIZE = 1500  # bytes of a value that grows with the event
_LONG_TEXT = 40  # characters, from which a text takes as long for each of them as a longer one
_MEMBERS = 8  # that are tried one at a time
_TEXTS = 6  # of one pattern
_NUMBERS = (1, Decimal("0.5"), Decimal("1.0"), 10**25, Decimal("1E+300"), Decimal("1E-300"))
_HOSTILE: dict[str, tuple[str, ...]] = {
    "regex": (r"\w{99}", r"(\w{9}){9}", "(a|b|c|d)*x", "[" + "a-z0-9" * 8 + "]"),
    "idn-hostname": ("xn--fsqu00a.xn--0zwm56d", "ａ" * 12, "\u0627\u0628" * 8),
    "idn-email": ("é" * 12 + "@" + "é" * 12 + ".id",),
    "uri-template": ("{a}" * 8, "{+a,b*,c:9}"),
    "iri": ("https://é" + "/é" * 9,),
    "duration": ("P1Y2M3DT4H5M6S",),
    "ipv6": ("1:2:3:4:5:6:7::", "::ffff:1.2.3.4"),
    "json-pointer": ("/~0~1" * 6,),
}
_TYPES = ("string", "number", "boolean", "null", "array", "object")
_encode = msgspec.json.Encoder(decimal_format="number").encode


@dataclass(frozen=True)
class Probe:
    """A value to validate. An `open` one can be made as large as the event."""

    value: Any
    open: bool = False

    @cached_property
    def text(self) -> bytes:
        """The value as JSON."""
        return _encode(self.value)

    @property
    def size(self) -> int:
        """Bytes as JSON, with a comma behind it."""
        return len(self.text) + 1


def types_of(schema: dict[str, Any]) -> frozenset[str]:
    """The types that a schema names; all of them if it names none."""
    named = schema.get("type", _TYPES)
    return frozenset({named} if isinstance(named, str) else named)


def scalar_probes(schema: dict[str, Any], types: frozenset[str]) -> Iterator[Probe]:
    """Values without members, of these types, and the values that a schema lists."""
    yield from map(Probe, _listed(schema))
    if "string" in types:
        yield from _texts(schema)
    if types & {"number", "integer"}:
        bounds = [schema[key] for key in ("minimum", "maximum", "multipleOf") if key in schema]
        numbers = [*bounds, *(each - Decimal("0.5") for each in bounds), *_NUMBERS]
        yield from (Probe(each) for each in numbers if "number" in types or each == int(each))
    if "boolean" in types:
        yield Probe(True)
    if "null" in types:
        yield Probe(None)


def array_probes(schema: dict[str, Any], elements: Sequence[Probe]) -> Iterator[Probe]:
    """Arrays, full of each of these elements."""
    yield Probe([])
    least, most = int(schema.get("minItems", 0)), schema.get("maxItems")
    for element in elements:
        count = max(least, 1 + _SIZE // element.size)
        if most is not None:
            count = min(count, int(most))
        yield Probe([element.value] * max(least, 1))
        yield Probe([element.value] * count, open=most is None)
    if schema.get("uniqueItems"):
        yield Probe(list(range(_SIZE // 4)), open=most is None)
        yield Probe([{"a": number} for number in range(_SIZE // 9)], open=most is None)


def object_probes(
    schema: dict[str, Any], members: dict[str, Probe], others: Sequence[Probe]
) -> Iterator[Probe]:
    """Objects with the known members, and full of others under names that match no pattern."""
    every = {name: each.value for name, each in members.items()}
    required = [name for name in schema.get("required", ()) if isinstance(name, str)]
    least = {name: every.get(name, "a") for name in required}
    yield from (Probe({}), Probe(least), Probe(least | every))
    for name, value in islice(every.items(), _MEMBERS):
        yield Probe(least | {name: value})
    most = schema.get("maxProperties")
    names = [f"{prefix}{{}}" for prefix in ("", *_prefixes(schema))]
    for name in names:
        for other in others or (Probe(0),):
            count = 1 + _SIZE // (other.size + len(name) + 5)
            if most is not None:
                count = max(0, min(count, int(most) - len(least)))
            full = least | {name.format(f"{number:x}"): other.value for number in range(count)}
            yield Probe(full, open=most is None)


def _listed(schema: dict[str, Any]) -> Iterator[Any]:
    if "const" in schema:
        yield schema["const"]
    members = schema.get("enum")
    if not isinstance(members, list) or not members:
        return
    by_kind = {type(member): member for member in members}  # the last one of each kind
    yield from by_kind.values()
    for member in by_kind.values():  # and one of that kind that is not listed
        if isinstance(member, dict):
            yield dict.fromkeys(member, "x")
        elif isinstance(member, list):
            yield ["x"] * len(member)


def _texts(schema: dict[str, Any]) -> Iterator[Probe]:
    most = int(schema.get("maxLength", _SIZE))
    least = min(int(schema.get("minLength", 0)), _SIZE)
    open_ = "maxLength" not in schema
    yield from (Probe("a" * least), Probe("a" * max(least, min(most, _SIZE)), open=open_))
    format_ = schema.get("format")
    if isinstance(format_, str):
        for text in (*FORMATS.get(format_, ()), *_HOSTILE.get(format_, ())):
            yield Probe(text)
            yield Probe((text * (1 + _SIZE // (len(text) + 1)))[:most], open=open_)
    pattern = schema.get("pattern")
    if isinstance(pattern, str):
        for text in pattern_texts(pattern, min(most, _SIZE)):
            yield Probe(text, open=open_ and len(text) >= _LONG_TEXT)


def pattern_texts(pattern: str, size: int) -> Iterator[str]:
    """Texts that keep a pattern busy: matches, long ones, and its characters again and again."""
    matches = [text[:size] for text in matching(pattern)]
    yield from matches
    yield stretched(pattern, size)[:size]
    characters = dict.fromkeys("".join(matches))
    for character in islice(characters, _TEXTS):
        yield from (character * min(size, length) for length in (48, 300, size))
    for text in matches[-2:]:
        if text:
            yield (text * (1 + size // len(text)))[:size]


def _prefixes(schema: dict[str, Any]) -> Iterator[str]:
    """Beginnings of member names that its patterns look at."""
    named = schema.get("patternProperties")
    patterns = list(named) if isinstance(named, dict) else []
    names = schema.get("propertyNames")
    if isinstance(names, dict) and isinstance(names.get("pattern"), str):
        patterns.append(names["pattern"])
    for pattern in (*patterns[:2], *patterns[-2:]):
        for text in matching(pattern)[-1:]:
            yield text.replace("{", "").replace("}", "")[:64]
