"""The page of the API: all that the OpenAPI document has, and nothing that a browser would run."""

import base64
import hashlib
from html.parser import HTMLParser
from typing import Any

import pytest

from gateway.http.documentation.page import POLICY, render, type_of

HOSTILE = '<script src="https://evil.example/x.js"></script>[a](javascript:alert(1))`'
LINKS = {"href", "src", "srcset", "action", "style"}


class Page(HTMLParser):
    """What a browser would find in it."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self.tags, self.links = set[str](), set[str]()
        self.ids, self.handlers = list[str](), list[str]()
        self.style = ""
        self.feed(data.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            self.handlers += [name] if name.startswith("on") else []
            self.links |= {value or ""} if name in LINKS else set()
            self.ids += [value or ""] if name == "id" else []

    def handle_data(self, data: str) -> None:
        if self.lasttag == "style" and not self.style:
            self.style = data


def a_description(text: str = "Says **what** it does.") -> dict[str, Any]:
    operation = {
        "tags": ["events"],
        "summary": text,
        "description": text,
        "operationId": "publishEvent",
        "parameters": [
            {"name": text, "in": "query", "schema": {"type": "string", "description": text}}
        ],
        "requestBody": {"content": {text: {"schema": {"$ref": "#/components/schemas/Event"}}}},
        "responses": {"202": {"description": text, "content": {text: {}}}},
    }
    model = {"description": text, "properties": {text: {"enum": [text], "pattern": text}}}
    return {
        "info": {"title": text, "version": "1", "summary": text, "description": text},
        "tags": [{"name": "events", "description": text}],
        "paths": {"/v1/events": {"post": operation}},
        "components": {
            "schemas": {"Event": model, "Kind": {"enum": [text], "type": "string"}},
            "securitySchemes": {"bearer": {"type": "http", "description": text}},
        },
    }


def test_no_text_becomes_script() -> None:
    page = Page(render(a_description(HOSTILE)))
    assert "script" not in page.tags
    assert not page.handlers
    assert {each for each in page.links if not each.startswith("#")} == {"/openapi.json"}


def test_markdown_is_shown() -> None:
    assert b"<strong>what</strong>" in render(a_description())


def test_the_policy_allows_the_style_of_the_page_alone() -> None:
    page = Page(render(a_description()))
    digest = base64.b64encode(hashlib.sha256(page.style.encode()).digest())
    assert b"style-src 'sha256-%b'" % digest in POLICY
    assert b"unsafe" not in POLICY
    assert b"http" not in POLICY


@pytest.mark.parametrize(
    ("schema", "type"),
    [
        ({"type": "string"}, "string"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "string or null"),
        ({"items": {"type": "integer"}, "type": "array"}, "array of integer"),
        ({"type": ["string", "number"]}, "string or number"),
        ({"additionalProperties": {"type": "string"}}, "object of string"),
        ({"allOf": [{"$ref": "#/components/schemas/A"}]}, '<a href="#model-A">A</a>'),
        ({}, "any"),
    ],
)
def test_types_in_a_word(schema: dict[str, Any], type: str) -> None:
    assert type_of(schema) == type
