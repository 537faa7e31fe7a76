"""The schema of a copybook, and what a copybook cannot say: descriptions, tighter bounds."""

import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

from adapters.cli.exits import Failure
from adapters.legacy_cobol.mapping.layout_file import Layout
from adapters.legacy_cobol.schema.derive import derive

Schema = dict[str, Any]


def schema_of(layout: Layout, annotations: Path | None = None, record: str = "") -> Schema:
    """The schema of a layout, or of one of its records, with what annotations.toml adds to it.

    `record` may stand there as well. [schema] holds members of the schema as a whole,
    [members."alamat.desa"] those of one member, [members."anak[]"] those of each element of a
    table. Nothing that the copybook says can be taken away, only put more tightly. Raises Failure.
    """
    content = {} if annotations is None else _content(annotations)
    try:
        schema = derive(layout, record or content.get("record", ""))
    except ValueError as error:
        raise Failure(str(error)) from None
    head = content.get("schema", {})
    order = ("$schema", "$id", "title", "description")
    whole = {**schema, **head}
    found = {name: whole[name] for name in order if name in whole}
    found |= {name: each for name, each in whole.items() if name not in found}
    for name, more in content.get("members", {}).items():
        member = _member(found, name.split("."))
        if member is None:
            raise Failure(f"{annotations}: no member {name} in the schema")
        member.update(more)
    return found


def _content(file: Path) -> dict[str, Any]:
    try:
        found = tomllib.loads(file.read_text(), parse_float=Decimal)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Failure(f"{file}: {error}") from None
    unknown = found.keys() - {"record", "schema", "members"}
    if unknown:
        raise Failure(f"{file}: {min(unknown)} is not known: record, schema and members are")
    return found


def _member(schema: Schema, path: list[str]) -> Schema | None:
    """The schema of a member; members of a table's elements are named like those of a group."""
    for name in path:
        inner = schema.get("items", schema).get("properties", {}).get(name.removesuffix("[]"))
        if inner is None:
            return None
        schema = inner["items"] if name.endswith("[]") else inner
    return schema
