"""Derive the JSON Schema (2020-12) of the documents that records become.

Documents have exactly the members that the schema describes. `x-cobol` is the position of each
member: bytes from 1, in the largest record.
"""

from collections.abc import Mapping
from typing import Any

from adapters.legacy_cobol.copybook.kinds import Encoding
from adapters.legacy_cobol.copybook.layout import Item, families
from adapters.legacy_cobol.mapping.layout_file import Layout
from adapters.legacy_cobol.mapping.record_types import DeclaredRecord
from adapters.legacy_cobol.records.record_type import Selector
from adapters.legacy_cobol.schema.conditions import closed, named, one_of
from adapters.legacy_cobol.schema.values import Schema, value_schema

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def derive(layout: Layout, record: str = "") -> Schema:
    """The schema of the events of a layout: of one record type, or of all if `record` is "".

    Raises ValueError if no record becomes an event, or a policy does not suit its field.
    """
    wanted = [each for each in layout.events if record in ("", each.type.name)]
    found = [_SchemaBuilder(layout, each).whole() for each in wanted]
    if not found and record:
        names = ", ".join(each.type.name for each in layout.events)
        raise ValueError(f"{record!r} does not become an event: {names} do")
    if not found:
        raise ValueError("no record of the layout becomes an event: all are control records")
    if len(found) == 1:
        return {"$schema": DIALECT, **found[0]}
    return {"$schema": DIALECT, "oneOf": found}


class _SchemaBuilder:
    """Builds the schema of one record type."""

    def __init__(self, layout: Layout, declared: DeclaredRecord) -> None:
        self.layout = layout
        self.declared = declared
        self.kind = declared.type
        self.encoding: Encoding = layout.encoding

    def whole(self) -> Schema:
        """The schema of a record, with the lists of its segments."""
        root = self.kind.record.root
        if root.kind is not None:
            schema = _object({self.kind.name_of(root): self._one(root)})
        else:
            schema = self._group(root)
        for each in self.layout.records:
            if each.segment is not None and each.segment.parent == self.kind.name:
                below = _SchemaBuilder(self.layout, each).whole()
                schema["properties"][each.segment.name] = {"type": "array", "items": below}
        return {"title": self._title(root), **schema, "x-cobol": self._position(root)}

    def _group(self, item: Item) -> Schema:
        """An object with the members of a group; alternatives for shared bytes."""
        properties: dict[str, Schema] = {}
        choices: list[list[Schema]] = []
        optional: set[str] = set()
        self._members(item, properties, choices, optional)
        schema = _object(properties)
        if choices:
            optional |= {name for choice in choices for each in choice for name in each["required"]}
            alternatives = [{"oneOf": _exclusive(each, properties)} for each in choices]
            schema |= alternatives[0] if len(alternatives) == 1 else {"allOf": alternatives}
        schema["required"] = [each for each in schema["required"] if each not in optional]
        return schema

    def _members(
        self, item: Item, properties: dict[str, Schema], choices: list[list[Schema]],
        optional: set[str],
    ) -> None:  # fmt: skip
        for family in families(item.children):
            declared = self._declared(family)
            if not declared:
                named_ones = [each for each in family if not each.filler] or family[:1]
                self._member(named_ones[0], properties, choices, optional)
                continue
            choice = [self._alternative(each, item, properties) for each in declared]
            if self.kind.is_optional(family[0]):
                choice.append({"title": "None of them", "properties": {}, "required": []})
            choices.append(choice)

    def _declared(self, family: list[Item]) -> list[Item]:
        """The variants that selectors decide between, in order."""
        variants = self.kind.variants
        if len(family) == 1 or not any(each.path in variants for each in family):
            return []
        chosen = [each for each in family if variants.get(each.path)]
        others = [each for each in family if not variants.get(each.path)]
        return chosen + others[:1]

    def _member(
        self, item: Item, properties: dict[str, Schema], choices: list[list[Schema]],
        optional: set[str],
    ) -> None:  # fmt: skip
        if item.filler and item.occurs is None:
            if item.kind is None:
                self._members(item, properties, choices, optional)
            return
        name = self.kind.name_of(item)
        properties[name] = self._item(item)
        if self.kind.is_optional(item):
            optional.add(name)

    def _alternative(self, item: Item, around: Item, properties: dict[str, Schema]) -> Schema:
        """One variant of shared bytes: its members, and the values of its selecting fields."""
        members: dict[str, Schema] = {}
        inside: list[list[Schema]] = []
        self._member(item, members, inside, set())
        if inside:
            raise ValueError(f"{item.name} contains variants: give the group a name")
        members = members or {self.kind.name_of(item): self._item(item)}
        required = list(members)
        for name, schema in members.items():
            if properties.setdefault(name, schema) != schema:
                properties[name] = {}
        for selector in self.kind.variants.get(item.path, ()):
            found = self._selected(selector, around)
            members |= {name: each for name, each in found.items() if name not in members}
        return {"title": self._title(item), "properties": members, "required": required}

    def _selected(self, selector: Selector, around: Item) -> Mapping[str, Schema]:
        for child in around.children:
            if child.path == selector.path and child.kind is not None and not child.filler:
                policy = self.kind.policy_of(child)
                allowed = one_of(selector.ranges, child.kind, policy, self.encoding)
                return {self.kind.name_of(child): allowed} if allowed else {}
        return {}

    def _item(self, item: Item) -> Schema:
        """A member: its schema, or an array of it."""
        one = self._one(item)
        if item.occurs is None:
            return {"title": self._title(item), **one, "x-cobol": self._position(item)}
        return {
            "title": self._title(item),
            "type": "array",
            "items": one,
            "minItems": item.occurs.minimum,
            "maxItems": item.occurs.maximum,
            "x-cobol": self._position(item),
        }

    def _one(self, item: Item) -> Schema:
        if item.kind is None:
            return self._group(item)
        policy = self.kind.policy_of(item)
        schema = value_schema(item.kind, policy)
        if item.path not in self.declared.open_conditions:
            schema |= closed(item, policy, self.encoding) or {}
        return schema

    def _title(self, item: Item) -> str:
        return self.declared.titles.get(item.path) or item.name.replace("-", " ").capitalize()

    def _position(self, item: Item) -> dict[str, Any]:
        """The position of an item in the record, and its name in the copybook."""
        position: dict[str, Any] = {
            "record": self.kind.record.name,
            "name": ".".join(item.path[1:]) or item.name,
            "from": item.offset + 1,
            "to": item.offset + item.length,
        }
        optional = {
            "moves": item.moves,
            "picture": item.picture,
            "usage": item.usage if item.kind is not None else None,
            "counter": item.occurs and item.occurs.counter and item.occurs.counter[-1],
            "conditions": named(item.conditions),
        }
        return position | {key: value for key, value in optional.items() if value}


def _object(properties: dict[str, Schema]) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _exclusive(alternatives: list[Schema], properties: dict[str, Schema]) -> list[Schema]:
    """The alternatives, without what the object says already, and without others' members."""
    every = list(dict.fromkeys(name for each in alternatives for name in each["required"]))
    return [
        each
        | {
            "properties": {
                name: schema
                for name, schema in each["properties"].items()
                if schema != properties.get(name)
            }
            | {name: False for name in every if name not in each["required"]}
        }
        for each in alternatives
    ]
