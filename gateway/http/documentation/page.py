"""The description of the API as one page: no script, and nothing from elsewhere."""

import base64
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markdown_it import MarkdownIt
from markupsafe import Markup

_FOLDER = Path(__file__).parent
_STYLE = (_FOLDER / "page.css").read_text()
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
POLICY = (
    f"default-src 'none'; style-src 'sha256-{_HASH}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
).encode()
"""The Content-Security-Policy of the page: its own style, and nothing else."""

_MARKDOWN = MarkdownIt("js-default")  # HTML in a text is shown as text
_MODEL = "#/components/schemas/"
# What a schema says besides its type, in the order in which it is shown.
_RULES = (
    "format", "const", "enum", "pattern", "minimum", "maximum", "exclusiveMinimum",
    "exclusiveMaximum", "minLength", "maxLength", "minItems", "maxItems", "uniqueItems", "default",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Member:
    """One parameter or property."""

    name: str
    where: str
    required: bool
    type: Markup
    rules: str
    description: str


def render(document: Mapping[str, Any]) -> bytes:
    """The page of an OpenAPI document."""
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"markdown": _markdown, "type": type_of, "members": _members}
    template = environment.get_template("page.html")
    page = template.render(
        style=Markup(_STYLE),  # noqa: S704  (a file of our own)
        info=document["info"],
        groups=list(_groups(document)),
        models=document["components"]["schemas"],
        schemes=document["components"]["securitySchemes"],
    )
    return page.encode()


def type_of(schema: Mapping[str, Any]) -> Markup:
    """The type of a value in a word or two, with a link to each model."""
    if reference := schema.get("$ref"):
        name = reference.removeprefix(_MODEL)
        return Markup('<a href="#model-{0}">{0}</a>').format(name)
    for keyword, between in (("anyOf", " or "), ("oneOf", " or "), ("allOf", " and ")):
        if keyword in schema:
            found = dict.fromkeys(type_of(each) for each in schema[keyword])
            return Markup(between).join(found)  # noqa: S704  (a constant)
    if "items" in schema:
        return Markup("array of {}").format(type_of(schema["items"]))
    more = schema.get("additionalProperties")
    if isinstance(more, Mapping) and more:
        return Markup("object of {}").format(type_of(more))
    kind = schema.get("type", "any")
    return Markup.escape(" or ".join(kind) if isinstance(kind, list) else kind)


def _groups(document: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], list[Any]]]:
    """Each tag with the operations that name it first, as (method, path, operation)."""
    operations = [
        (method.upper(), path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    for tag in document["tags"]:
        yield tag, [each for each in operations if tag["name"] == each[2]["tags"][0]]


def _members(schema: Mapping[str, Any]) -> Iterable[Member]:
    """The parameters of an operation, or the properties of a model."""
    if "parameters" in schema:
        for each in schema["parameters"]:
            yield _member(each["name"], each["in"], each.get("required", False), each["schema"])
    required = schema.get("required", ())
    for name, each in schema.get("properties", {}).items():
        yield _member(name, "", name in required, each)


def _member(name: str, where: str, required: bool, schema: Mapping[str, Any]) -> Member:
    alternatives = [each for each in schema.get("anyOf", ()) if each.get("type") != "null"]
    only = alternatives[0] if len(alternatives) == 1 else {}
    found = {**only, **schema}
    rules = ", ".join(f"{rule} {found[rule]}" for rule in _RULES if rule in found)
    description = found.get("description", "")
    return Member(name, where, required, type_of(schema), rules, description)


def _markdown(text: str) -> Markup:
    return Markup(_MARKDOWN.render(text))  # noqa: S704  (HTML in the text is escaped)
