"""What a copybook cannot say about a schema: id, descriptions, personal data, tighter bounds."""

import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

from adapters.cli.exits import Failure

Schema = dict[str, Any]


def annotated(schema: Schema, file: Path) -> Schema:
    """A derived schema with what annotations.toml adds to it. Raises Failure.

    [schema] holds members of the schema as a whole, [members."alamat.desa"] those of one member,
    [members."anak[]"] those of each element of a table.
    Nothing that the copybook says can be taken away, only put more tightly.
    """
    try:
        content = tomllib.loads(file.read_text(), parse_float=Decimal)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Failure(f"{file}: {error}") from None
    head = content.get("schema", {})
    order = ("$schema", "$id", "title", "description")
    whole = {**schema, **head}
    found = {name: whole[name] for name in order if name in whole}
    found |= {name: each for name, each in whole.items() if name not in found}
    for name, more in content.get("members", {}).items():
        member = _member(found, name.split("."))
        if member is None:
            raise Failure(f"{file}: no member {name} in the schema")
        member.update(more)
    return found


def _member(schema: Schema, path: list[str]) -> Schema | None:
    """The schema of a member; members of a table's elements are named like those of a group."""
    for name in path:
        inner = schema.get("items", schema).get("properties", {}).get(name.removesuffix("[]"))
        if inner is None:
            return None
        schema = inner["items"] if name.endswith("[]") else inner
    return schema
