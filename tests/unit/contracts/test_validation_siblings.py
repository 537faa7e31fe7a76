"""Every kind of hostile event: it ends in an answer, and others are served meanwhile."""

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from gateway.base.errors import ContractViolation, TooExpensive
from gateway.contracts.version_schema import VersionSchema
from tests.unit.contracts.validation_pools import CHEAP, EXPENSIVE, PERSON, TYPE, opened
from tests.unit.contracts.validators import DIALECTS


def one(value: Any, size: int = 600_000) -> bytes:
    """An array of so many bytes, of one value."""
    text = json.dumps(value, separators=(",", ":"))
    return ("[" + ",".join([text] * max(1, size // (len(text) + 1))) + "]").encode()


def members(text: str, size: int = 600_000) -> bytes:
    return json.dumps({f"{text}{n:x}": 0 for n in range(size // (len(text) + 10))}).encode()


SIBLINGS: dict[str, tuple[dict[str, Any], Callable[[], bytes]]] = {
    "enum of objects": (
        {"items": {"enum": [{"a": n} for n in range(4900)]}}, lambda: one({"a": 4899})
    ),
    "enum of arrays": (
        {"items": {"enum": [[n, "x" * 8] for n in range(4900)]}}, lambda: one([4899, "x" * 8])
    ),
    "alternatives": (
        {"items": {"oneOf": [{"multipleOf": 7, "minimum": 10**9 + n} for n in range(240)]}},
        lambda: one(1),
    ),
    "patterns of names": (
        {"patternProperties": {f"^(x|{n}|y)*z{n}$": {"type": "integer"} for n in range(490)}},
        lambda: members("p"),
    ),
    "one pattern of names": (
        {"propertyNames": {"pattern": "^(a|aa)*((a{1,40}){1,40})*b$"}}, lambda: members("a" * 200)
    ),
    "counted repetition": (
        {"items": {"pattern": "^((a{1,60}){1,60})*$"}}, lambda: one("a" * 4000)
    ),
    "unique items": ({"uniqueItems": True}, lambda: json.dumps(
        [{"a": n, "b": [n]} for n in range(30_000)]).encode()),
    "contains": (
        {"allOf": [{"contains": {"const": [n]}} for n in range(200)]}, lambda: one([1])
    ),
    "dependent schemas": (
        {"items": {"dependentSchemas": {f"p{n}": {"required": ["q"]} for n in range(1900)}}},
        lambda: one({}),
    ),
    "unevaluated members": (
        {"anyOf": [{"properties": {f"p{n}": True}} for n in range(240)],
         "unevaluatedProperties": {"type": "integer"}},
        lambda: members("p"),
    ),
    "unevaluated items": (
        {"anyOf": [{"contains": {"const": n}} for n in range(240)],
         "unevaluatedItems": {"type": "integer"}},
        lambda: one(1),
    ),
    "multiples": ({"items": {"multipleOf": 1e-300}}, lambda: one(10**300)),
    "large numbers": ({"items": {"enum": [10**300 + n for n in range(500)]}}, lambda: one(0.5)),
    "formats": (
        {"items": {"anyOf": [{"format": each, "minLength": 9999} for each in (
            "uri", "iri", "email", "idn-email", "hostname", "idn-hostname", "date-time",
            "duration", "regex", "uri-template", "json-pointer", "uuid", "ipv6")]}},
        lambda: one("http://[::1]/a%20b?c=d&e={f}#g" * 10),
    ),
    "deep": (
        {"$ref": "#/$defs/n", "$defs": {"n": {"anyOf": [
            {"items": {"$ref": "#/$defs/n"}, "maxItems": n} for n in range(4)]}}},
        lambda: b"[" + b",".join([b"[" * 60 + b"1" + b"]" * 60] * 4000) + b"]",
    ),
}  # fmt: skip


@pytest.mark.parametrize("dialect", ["2020-12", "draft-07"])
@pytest.mark.parametrize("kind", SIBLINGS)
async def test_a_hostile_event_ends_in_an_answer_while_others_are_served(
    kind: str, dialect: str
) -> None:
    document, data = SIBLINGS[kind]
    text = json.dumps({"$schema": DIALECTS[dialect], **document}).encode()
    hostile = VersionSchema(TYPE, 1, text)
    async with opened(seconds=0.25) as pool:
        attack = asyncio.create_task(pool.validate(data(), hostile, "jahat", expected=EXPENSIVE))
        for _ in range(5):
            await pool.validate(b'{"n":1}', PERSON, "korban", expected=CHEAP)
        with suppress(ContractViolation, TooExpensive):
            await attack
        await pool.validate(b'{"n":1}', PERSON, "jahat", expected=CHEAP)
