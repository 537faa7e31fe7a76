"""The schema of a layout with annotations: descriptions, x-pii and tighter bounds."""

import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

from adapters.cli.exits import Failure
from adapters.legacy_cobol.mapping.layout_file import Layout
from adapters.legacy_cobol.schema.derive import derive

Schema = dict[str, Any]


def schema_of(layout: Layout, annotations: Path | None = None, record: str = "") -> Schema:
    """The schema of a layout, or of one of its records, with the additions of annotations.toml.

    That file may name the `record`. [schema] adds to the whole schema, [members."alamat.desa"] to
    one member, [members."anak[]"] to each element of a table. Raises Failure.
    """
    content = {} if annotations is None else _content(annotations)
    try:
        schema = derive(layout, record or content.get("record", ""))
    except ValueError as error:
        raise Failure(str(error)) from None
    head = content.get("schema", {})
    order = ("$schema", "$id", "title", "description")
    complete = {**schema, **head}
    found = {name: complete[name] for name in order if name in complete}
    found |= {name: each for name, each in complete.items() if name not in found}
    for name, more in content.get("members", {}).items():
        member = _member(found, name.split("."))
        if member is None:
            raise Failure(f"{annotations}: the schema has no member {name}.")
        member.update(more)
    return found


def _content(file: Path) -> dict[str, Any]:
    try:
        found = tomllib.loads(file.read_text(), parse_float=Decimal)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Failure(f"{file}: {error}") from None
    unknown = found.keys() - {"record", "schema", "members"}
    if unknown:
        raise Failure(f"{file}: unknown key {min(unknown)}. Use record, schema and members.")
    return found


def _member(schema: Schema, path: list[str]) -> Schema | None:
    """The schema of a member. Members of table elements are named like those of a group."""
    for name in path:
        inner = schema.get("items", schema).get("properties", {}).get(name.removesuffix("[]"))
        if inner is None:
            return None
        schema = inner["items"] if name.endswith("[]") else inner
    return schema
