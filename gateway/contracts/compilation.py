"""Compiles a schema for both validators, after it passed the limits that keep it harmless."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import chain, islice
from typing import Any, cast

import jsonschema
import jsonschema_rs
import msgspec
from jsonschema import (
    Draft6Validator,
    Draft7Validator,
    Draft201909Validator,
    Draft202012Validator,
    validators,
)
from jsonschema.protocols import Validator as ReferenceValidator
from referencing import Registry

from gateway.base import strict_json
from gateway.base.errors import Invalid, Malformed
from gateway.base.faults import Fault
from gateway.contracts.bundle import SchemaTexts, bundle_schema
from gateway.contracts.complexity import require_bounded
from gateway.contracts.faults import LISTED, several
from gateway.contracts.keywords import dialect_uri
from gateway.contracts.schema_limits import (
    DEFINITIONS,
    DIALECT,
    SCHEMA_DEPTH,
    SCHEMA_LIMIT,
    pattern_faults,
    size_faults,
)
from gateway.contracts.validation import Validator, pointer

_encode = msgspec.json.Encoder(decimal_format="number").encode
BUNDLE_DEPTH = SCHEMA_DEPTH + 4  # embedded schemas are two levels deeper


@dataclass(frozen=True, slots=True)
class Library:
    """The registered schemas that others refer to, and the URL of this registry."""

    texts: SchemaTexts = field(default_factory=dict)
    base_url: str = ""

    def bundle(self, text: bytes, document: Any = None) -> bytes | None:
        """A schema with all references embedded; None if it refers to no other schema.

        `document` is the parsed text, if the caller has it.
        """
        return bundle_schema(text, self.texts, self.base_url, document)


@dataclass(frozen=True, slots=True)
class CompiledSchema:
    """A schema in the gateway's validator and in the reference, with all references embedded."""

    validator: Validator
    reference: ReferenceValidator
    document: Mapping[str, Any]


def _is_integer(_: object, value: object) -> bool:
    """1.0 is an integer since draft 6, also as a Decimal."""
    if isinstance(value, bool):
        return False
    return isinstance(value, int) or (isinstance(value, Decimal) and value == value.to_integral())


def _exact(validator: Any) -> type[ReferenceValidator]:
    checker = validator.TYPE_CHECKER.redefine("integer", _is_integer)
    extended: type[ReferenceValidator] = _extend(validator, type_checker=checker)
    return extended


_extend: Any = validators.extend  # untyped in the library's stubs
_VALIDATORS: Mapping[str, type[ReferenceValidator]] = {
    DIALECT: _exact(Draft202012Validator),
    "https://json-schema.org/draft/2019-09/schema": _exact(Draft201909Validator),
    "http://json-schema.org/draft-07/schema": _exact(Draft7Validator),
    "http://json-schema.org/draft-06/schema": _exact(Draft6Validator),
}


def compile_schema(type: str, version: int, text: bytes, library: Library) -> CompiledSchema:
    """Compile a schema of a contract. Raises Invalid with the fault, its pointer and what to do."""
    name = f"{type} version {version}"
    schema = _parse(name, text)
    try:
        _require_sound(schema)
        bundle = library.bundle(text, schema)
        document = schema if bundle is None else strict_json.parse(bundle, depth=BUNDLE_DEPTH)
        validator = _VALIDATORS[dialect_uri(document)]
        require_bounded(document)
        reference = validator(
            document, registry=Registry(), format_checker=validator.FORMAT_CHECKER
        )
        return CompiledSchema(
            Validator(type, version, document, bundle or text), reference, document
        )
    except Invalid as error:
        raise Invalid(f"{name}: {error}", pointer=error.pointer, faults=error.faults) from None
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError) as error:
        raise Invalid(
            f"{name}: the schema does not compile: {reason(error)}",
            pointer=pointer(list(getattr(error, "instance_path", ()))),
        ) from None


def _require_sound(schema: Mapping[str, Any]) -> None:
    """Raises Invalid with all violations of limits, or of the meta-schema, up to 50."""
    faults = list(islice(size_faults(schema), LISTED))
    if not faults:  # only then is it small enough for the rest
        faults = list(islice(chain(pattern_faults(schema), _meta_faults(schema)), LISTED))
    if faults:
        raise several(faults)


def _meta_faults(schema: Mapping[str, Any]) -> Iterator[Fault]:
    kind = _VALIDATORS[dialect_uri(schema)]
    plain = json.loads(_encode(schema))  # the meta-schemas do not know Decimal
    for each in kind(kind.META_SCHEMA).iter_errors(plain):
        error = jsonschema.exceptions.best_match([each])
        location = pointer(list(error.absolute_path))
        yield Fault(
            location, f"not a valid JSON Schema at {location or '(root)'}: {_cut(error.message)}"
        )


def require_schema(name: str, text: bytes, document: Any) -> None:
    """Raises Invalid unless a text of bounded size is an object in a known dialect."""
    _require_size(name, text)
    known = isinstance(document, dict) and dialect_uri(document) in DEFINITIONS
    if not known:
        raise Invalid(
            f"{name}: a schema must be an object with $schema {DIALECT} (or that of 2019-09, "
            "draft 7 or draft 6).",
            pointer="/$schema",
        )


def _require_size(name: str, text: bytes) -> None:
    if len(text) > SCHEMA_LIMIT:
        raise Invalid(f"{name}: the schema has {len(text)} bytes; {SCHEMA_LIMIT} are allowed.")


def _parse(name: str, text: bytes) -> dict[str, Any]:
    """The schema in a text. Raises Invalid unless it is an object in a known dialect."""
    _require_size(name, text)
    try:
        schema = strict_json.parse(text, depth=SCHEMA_DEPTH)
    except Malformed as error:
        raise Invalid(f"{name}: {error}", pointer=error.pointer) from None
    require_schema(name, text, schema)
    return cast(dict[str, Any], schema)


def reason(error: Exception) -> str:
    """The first line of an error, with its location in the schema."""
    text = str(error)
    location = text.rpartition("On instance")[2].partition(":")[0] if "On instance" in text else ""
    return _cut(text.partition("\n")[0]) + (f" at {location}" if location else "")


def _cut(text: str) -> str:
    return text if len(text) <= 300 else f"{text[:299]}…"
