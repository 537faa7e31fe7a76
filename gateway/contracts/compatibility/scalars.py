"""Scalar values that a schema mentions, and those just beyond its bounds."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from gateway.contracts.compatibility.strings import FORMATS, matching, stretched

_HALF = Decimal("0.5")
_MAX_LENGTH = 4000  # characters; longer texts are not tried
_NUMBERS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")

# Texts of a format that may be of any length.
_STRETCHED = {
    "date-time": ("2026-01-31T08:00:00.", "Z"),
    "time": ("08:00:00.", "Z"),
    "uri": ("https://layanan.go.id/", ""),
    "uri-reference": ("/", ""),
    "iri": ("https://layanan.go.id/", ""),
    "iri-reference": ("/", ""),
    "email": ("budi@", ".go.id"),
    "json-pointer": ("/", ""),
}


def scalars(part: dict[str, Any]) -> Iterator[Any]:
    """Scalar values that a schema mentions, and those just beyond its bounds."""
    if "const" in part:
        yield part["const"]
    yield from part.get("enum", ())
    named = part.get("type", ["string", "number", "integer", "boolean", "null"])
    types = {named} if isinstance(named, str) else set(named)
    if "string" in types:
        yield from _texts(part)
    if types & {"number", "integer"}:
        yield from _numbers(part)
    if "boolean" in types:
        yield from (True, False)
    if "null" in types:
        yield None


def _texts(part: dict[str, Any]) -> Iterator[str]:
    lengths = [int(part[each]) for each in ("minLength", "maxLength") if each in part]
    texts = matching(part["pattern"]) if "pattern" in part else ()
    yield from texts
    if "format" in part:
        yield from FORMATS.get(part["format"], ())
    before, after = _STRETCHED.get(part.get("format", ""), ("", ""))
    for size in sorted({each + step for each in lengths for step in (0, -1, 1)}):
        if 0 <= size <= _MAX_LENGTH:
            yield "a" * size
            if "pattern" in part:
                yield stretched(part["pattern"], size)
            yield before + "7" * (size - len(before) - len(after)) + after
    yield from ("teks", "")
    for text in texts:
        yield from (f"{text} ", f"x{text}", text[:-1])


def _numbers(part: dict[str, Any]) -> Iterator[Any]:
    step = part.get("multipleOf", 1)
    for keyword in _NUMBERS:
        if keyword in part:
            bound = part[keyword]
            yield from (bound, bound + step, bound - step, -bound)
            if part.get("type") != "integer":
                yield from (bound + _HALF * step, bound - _HALF * step)
            if keyword in ("minimum", "exclusiveMinimum"):
                yield (bound // step + 1) * step
            if keyword in ("maximum", "exclusiveMaximum"):
                yield (bound // step) * step
    yield from (0, step, -step, _HALF, 1, 12345678901)
