"""Bodies for `/v1/contracts`, sound by default, and what administrators do with them."""

import itertools
import uuid
from collections.abc import Mapping
from typing import Any

import httpx

from gateway.contracts.schema_limits import DIALECT
from tests.bus import Actor

_words = (f"k{uuid.uuid4().hex[:8]}{number}" for number in itertools.count(1))


def a_type(owner: str = "uji") -> str:
    """An event type that no other test uses."""
    return f"id.go.{owner}.{next(_words)}.dicatat.v1"


def a_json_schema(**changes: Any) -> dict[str, Any]:
    """A closed object with one required number; None leaves a keyword out."""
    schema = {
        "$schema": DIALECT,
        "title": "Uji",
        "description": "For tests.",
        "type": "object",
        "additionalProperties": False,
        "required": ["n"],
        "properties": {"n": {"type": "integer", "title": "N", "description": "A number."}},
        **changes,
    }
    return {name: value for name, value in schema.items() if value is not None}


def wider(**more: Any) -> dict[str, Any]:
    """The schema above with one more optional member."""
    member = {"type": "string", "title": "More", "description": "More."}
    return a_json_schema(properties={**a_json_schema()["properties"], "lagi": member}, **more)


def a_version(**changes: Any) -> dict[str, Any]:
    """The body of a version."""
    return {
        "schema": a_json_schema(),
        "examples": {
            "valid": [{"name": "satu", "data": {"n": 1}}],
            "invalid": [{"name": "kosong", "keyword": "required", "data": {}}],
        },
        **changes,
    }


def a_registration(type: str, **changes: Any) -> dict[str, Any]:
    """The body of a contract."""
    return {
        "type": type,
        "title": "Uji",
        "description": "For tests.",
        "pattern": "publish-subscribe",
        "classification": "internal",
        "ordering": {"key": "subject", "description": "What the event is about."},
        **a_version(),
        **changes,
    }


def register(by: Actor, type: str, **changes: Any) -> httpx.Response:
    """Register a contract, which must succeed."""
    answer = by.post("/v1/contracts", json=a_registration(type, **changes))
    assert answer.status_code == 201, answer.text
    return answer


def add(by: Actor, type: str, match: str | None = "*", **changes: Any) -> httpx.Response:
    """Register a version."""
    headers = {} if match is None else {"if-match": match}
    path = f"/v1/contracts/{type}/versions"
    return by.post(path, json=a_version(**changes), headers=headers)


def act(
    by: Actor, path: str, body: Mapping[str, Any] | None = None, **query: str
) -> httpx.Response:
    """Do something to whatever the contract is now."""
    return by.post(f"/v1/contracts/{path}", json=body, params=query, headers={"if-match": "*"})
