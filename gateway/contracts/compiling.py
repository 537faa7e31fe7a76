"""A schema in both validators, once it has proven harmless."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import jsonschema
import jsonschema_rs
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
from gateway.contracts.bundle import Shelf, bundled
from gateway.contracts.effort import require_bounded
from gateway.contracts.soundness import (
    DEFINITIONS,
    DIALECT,
    SCHEMA_DEPTH,
    SCHEMA_LIMIT,
    require_sound,
)
from gateway.contracts.validation import Validator, pointer

BUNDLE_DEPTH = SCHEMA_DEPTH + 4  # the schemas that it refers to stand two levels down


@dataclass(frozen=True, slots=True)
class Library:
    """The registered schemas that others refer to, and where this registry is served."""

    shelf: Shelf = field(default_factory=dict)
    base_url: str = ""

    def bundled(self, text: bytes) -> bytes | None:
        """A schema with all that it refers to; None where that is nothing."""
        return bundled(text, self.shelf, self.base_url)


@dataclass(frozen=True, slots=True)
class Compiled:
    """A schema in the validator of intake and in the reference, with all that it refers to."""

    judge: Validator
    reference: ReferenceValidator
    whole: Mapping[str, Any]


def _is_integer(_: object, value: object) -> bool:
    """1.0 is an integer since draft 6, also where it is read exactly."""
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


def compiled(type: str, version: int, text: bytes, library: Library) -> Compiled:
    """Compile a schema of a contract. Raises Invalid with what is wrong, where, and what to do."""
    where = f"{type} version {version}"
    schema = parsed(where, text)
    try:
        require_sound(schema)
        bundle = library.bundled(text)
        whole = schema if bundle is None else strict_json.parse(bundle, depth=BUNDLE_DEPTH)
        validator = _VALIDATORS[whole["$schema"].rstrip("#")]
        validator.check_schema(json.loads(text))  # the meta-schemas know no Decimal
        require_bounded(whole)
        reference = validator(whole, registry=Registry(), format_checker=validator.FORMAT_CHECKER)
        return Compiled(Validator(type, version, whole, bundle or text), reference, whole)
    except Invalid as error:
        raise Invalid(f"{where}: {error}", pointer=error.pointer) from None
    except jsonschema.SchemaError as error:
        place = pointer(list(error.absolute_path))
        raise Invalid(
            f"{where}: no valid JSON Schema at {place or '(root)'}: {_cut(error.message)}",
            pointer=place,
        ) from None
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError) as error:
        raise Invalid(f"{where}: the schema does not compile: {reason(error)}") from None


def parsed(where: str, text: bytes) -> dict[str, Any]:
    """The schema in a text. Raises Invalid unless it is an object in a known dialect."""
    if len(text) > SCHEMA_LIMIT:
        raise Invalid(f"{where}: a schema may have {SCHEMA_LIMIT} bytes, this one has {len(text)}")
    try:
        schema = strict_json.parse(text, depth=SCHEMA_DEPTH)
    except Malformed as error:
        raise Invalid(f"{where}: {error}", pointer=error.pointer) from None
    known = isinstance(schema, dict) and str(schema.get("$schema")).rstrip("#") in DEFINITIONS
    if not isinstance(schema, dict) or not known:
        raise Invalid(
            f"{where}: a schema is an object with $schema {DIALECT} (or that of 2019-09, draft 7 "
            "or draft 6)",
            pointer="/$schema",
        )
    return schema


def reason(error: Exception) -> str:
    """The first line, and where in the schema."""
    text = str(error)
    place = text.rpartition("On instance")[2].partition(":")[0] if "On instance" in text else ""
    return _cut(text.partition("\n")[0]) + (f" at {place}" if place else "")


def _cut(text: str) -> str:
    return text if len(text) <= 300 else f"{text[:299]}…"
