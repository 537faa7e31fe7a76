"""Makes one schema that can be registered of what others have published: files, and draft 4.

The author sees what was changed, and registers the result. Registration converts nothing itself.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any
from urllib.parse import urldefrag, urljoin

from gateway.base.errors import Invalid
from gateway.base.json_pointer import json_pointer
from gateway.contracts.bundle import META_SCHEMAS
from gateway.contracts.keywords import Step, dialect_uri, rebuilt, subschemas, text_of
from gateway.contracts.schema_limits import DEFINITIONS
from gateway.contracts.standalone import BASE, MAX_SUBSCHEMAS, standalone

DRAFT4 = "http://json-schema.org/draft-04/schema"
DRAFT7 = "http://json-schema.org/draft-07/schema#"
_NEWER = ("const", "contains", "propertyNames", "if", "then", "else")
_LISTED = 500  # changes


@dataclass(frozen=True, slots=True)
class Conversion:
    """A schema that stands alone, and what was changed, as pointers into it and sentences."""

    schema: dict[str, Any]
    changes: tuple[tuple[str, str], ...]


def convert(
    document: dict[str, Any],
    others: Mapping[str, Any],
    keeps: Callable[[str], bool],
    dialect: str | None = None,
) -> Conversion:
    """The schema with what it needs of `others` embedded, in draft 7 if it is of draft 4.

    `others` are schemas by URI, or by a name that resolves against the `$id` of the schema, such as
    that of its file. `dialect` is that of schemas without `$schema`. References to schemas whose
    URI `keeps` names stay. Raises Invalid with the fault and what to do.
    """
    changes: list[tuple[str, str]] = []
    named = _with_dialect(document, dialect, changes)
    old = dialect_uri(named) == DRAFT4
    if old:
        named = _from_draft4(named, changes)
    by_uri = _Others(others, urljoin(BASE, text_of(named, "$id")), str(named["$schema"]), old)
    keyword = DEFINITIONS[dialect_uri(named)]
    made = standalone(named, keyword, keeps, by_uri)
    if made is not named:
        before = named.get(keyword)
        added = set(made.get(keyword, ())) - set(before if isinstance(before, dict) else ())
        changes += (
            (json_pointer((keyword, name)), "Added, because a reference leads to it.")
            for name in sorted(added)
        )
        changes.append(("", "Every reference is a pointer into this schema."))
    return Conversion(made, tuple(changes[:_LISTED]))


class _Others(Mapping[str, Any]):
    """The schemas that one refers to, by URI; each is converted when it is first needed."""

    def __init__(self, named: Mapping[str, Any], base: str, dialect: str, old: bool) -> None:
        self._dialect, self._old = dialect, old
        self._written = dict(META_SCHEMAS)
        self._made: dict[int, Any] = {}
        for name, schema in named.items():
            uri = urldefrag(urljoin(base, name)).url
            own = text_of(schema, "$id") or (text_of(schema, "id") if old else "")
            self._written |= {uri: schema, urldefrag(urljoin(uri, own)).url: schema}

    def __getitem__(self, uri: str) -> Any:
        schema = self._written[uri]
        if id(schema) not in self._made:
            found = {"$schema": f"{DRAFT4}#" if self._old else self._dialect, **schema}
            convert = self._old and dialect_uri(found) == DRAFT4
            self._made[id(schema)] = _from_draft4(found, []) if convert else found
        return self._made[id(schema)]

    def __iter__(self) -> Iterator[str]:
        return iter(self._written)

    def __len__(self) -> int:
        return len(self._written)


def _with_dialect(
    document: dict[str, Any], dialect: str | None, changes: list[tuple[str, str]]
) -> dict[str, Any]:
    if "$schema" not in document and dialect:
        document = {"$schema": dialect, **document}
        changes.append(("/$schema", f"Added: {dialect}."))
    if dialect_uri(document) not in {*DEFINITIONS, DRAFT4}:
        raise Invalid(
            "The schema names none of the dialects 2020-12, 2019-09, draft 7, draft 6 and draft 4 "
            "by $schema. Correct it; if it has none, say which it is in `dialect`.",
            pointer="/schema/$schema",
        )
    return document


def _from_draft4(document: dict[str, Any], changes: list[tuple[str, str]]) -> dict[str, Any]:
    if len(list(islice(subschemas(document), MAX_SUBSCHEMAS + 1))) > MAX_SUBSCHEMAS:
        raise Invalid(f"A schema has more than {MAX_SUBSCHEMAS} subschemas. Use smaller files.")
    changes.append(
        ("/$schema", "Draft 7, was draft 4. A number such as 1.0 is an integer since draft 6.")
    )
    made = _converted(document, (), changes)
    return {"$schema": DRAFT7, **{name: made[name] for name in made if name != "$schema"}}


def _converted(schema: Any, steps: Step, changes: list[tuple[str, str]]) -> Any:
    if not isinstance(schema, dict):
        return schema
    made = rebuilt(schema, lambda step, below: _converted(below, (*steps, *step), changes))
    if isinstance(schema.get("$ref"), str):
        return made  # what stands beside it does not count
    if isinstance(made.get("id"), str):
        made = {"$id" if word == "id" else word: value for word, value in made.items()}
        changes.append((json_pointer((*steps, "$id")), "Was id."))
    for bound in ("Minimum", "Maximum"):
        _convert_bound(made, f"exclusive{bound}", bound.lower(), steps, changes)
    changes += (
        (json_pointer((*steps, word)), f"Draft 4 does not know {word}; it counts now.")
        for word in _NEWER
        if word in made
    )
    return made


def _convert_bound(
    made: dict[str, Any], word: str, bound: str, steps: Step, changes: list[tuple[str, str]]
) -> None:
    """`exclusiveMinimum: true` beside `minimum: 3` becomes `exclusiveMinimum: 3`."""
    if not isinstance(made.get(word), bool):
        return
    exclusive = made.pop(word)
    if exclusive and bound in made:
        made[word] = made.pop(bound)
        changes.append((json_pointer((*steps, word)), f"Was true beside {bound}."))
    else:
        changes.append((json_pointer(steps), f"{word} is left out: it changed nothing."))
