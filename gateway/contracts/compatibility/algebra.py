"""Inclusion of one schema in another, decided by the algebra of `jsonschema-rs`.

Some inputs never end, and the call holds the interpreter lock: use it only in a process that may
be killed.
"""

from dataclasses import dataclass
from typing import Any

import jsonschema_rs
import msgspec
from jsonschema_rs.canonical import CanonicalizationError, Containment

from gateway.base import strict_json
from gateway.contracts.compatibility.dialects import DIALECT


@dataclass(frozen=True, slots=True)
class Inclusion:
    """`proven` is True or False, or None if the algebra cannot decide.

    `rest` is a schema of the documents that only the reader refuses, if it can be expressed.
    """

    proven: bool | None
    rest: Any = None
    reason: str = ""


def inclusion(writer: Any, reader: Any) -> Inclusion:
    """Whether the reader's schema accepts all documents of the writer's; both in normal form."""
    try:
        written, read = _canonical(writer), _canonical(reader)
        covers = read.covers(written)
    except (CanonicalizationError, jsonschema_rs.ValidationError, ValueError) as error:
        return Inclusion(None, reason=str(error).partition("\n")[0][:300])
    if covers == Containment.YES:
        return Inclusion(True)
    proven = False if covers == Containment.NO else None
    try:
        rest = _exact(written.subtract(read).to_json_schema())
    except (CanonicalizationError, ValueError) as error:
        return Inclusion(proven, reason=str(error).partition("\n")[0][:300])
    reason = "" if proven is False else "These keywords together cannot be decided."
    return Inclusion(proven, rest, reason)


def _exact(schema: Any) -> Any:
    """The schema with decimal numbers, as everywhere in this package."""
    return strict_json.parse(msgspec.json.encode(schema))


def _canonical(schema: Any) -> jsonschema_rs.CanonicalSchema:
    if isinstance(schema, dict):
        schema = {"$schema": DIALECT} | schema
    return jsonschema_rs.canonicalize(
        schema,
        validate_formats=True,
        offline=True,
        pattern_options=jsonschema_rs.RegexOptions(),
    )
