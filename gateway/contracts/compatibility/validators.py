"""Both validators on one document: the only proof that this package shows to callers."""

from typing import Any

import jsonschema_rs
from jsonschema import validators
from jsonschema.exceptions import ValidationError
from referencing import Registry

from gateway.contracts.compatibility.dialects import DIALECT, UnreadableSchema
from gateway.contracts.keywords import annotations


def compiled(schema: Any) -> jsonschema_rs.Validator:
    """A validator with the settings of publishing. Raises UnreadableSchema."""
    try:
        return jsonschema_rs.validator_for(
            schema,
            validate_formats=True,
            offline=True,
            pattern_options=jsonschema_rs.RegexOptions(),
            keywords=annotations(schema) or None,
        )
    except (ValueError, jsonschema_rs.ReferencingError) as error:
        reason = str(error).partition("\n")[0]
        raise UnreadableSchema(f"The schema does not compile: {reason[:300]}") from None


class ValidatorPair:
    """A schema in `jsonschema-rs` and in `jsonschema`, the reference."""

    def __init__(self, schema: Any) -> None:
        self._fast = compiled(schema)
        self._schema = schema

    def accepts(self, document: Any) -> bool:
        """Whether `jsonschema-rs` accepts a document, in microseconds."""
        return self._fast.is_valid(document)

    def both_accept(self, document: Any) -> bool | None:
        """Whether both accept a document; None if they differ."""
        kind = validators.validator_for(self._schema, validators.Draft202012Validator)
        reference = kind(self._schema, registry=Registry(), format_checker=kind.FORMAT_CHECKER)
        try:
            accepted = reference.is_valid(document)
        except (ValidationError, ArithmeticError, RecursionError, TypeError):
            return None
        return accepted if accepted is self._fast.is_valid(document) else None

    def first_error(self, document: Any) -> str:
        """The first error of a document, in one sentence; empty if it is valid."""
        for error in self._fast.iter_errors(document):
            path = "".join(f"/{step}" for step in error.instance_path)
            return f"`{path or '(root)'}`: {error.message}"[:400]
        return ""


class SubschemaValidators:
    """Validates values against single subschemas of a schema in normal form."""

    def __init__(self, root: Any) -> None:
        self._definitions = root.get("$defs", {}) if isinstance(root, dict) else {}
        self._compiled: dict[int, tuple[Any, jsonschema_rs.Validator]] = {}

    def accepts(self, schema: Any, value: Any) -> bool:
        """Whether a subschema accepts a value."""
        if isinstance(schema, bool):
            return schema
        found = self._compiled.get(id(schema))
        if found is None:
            whole = {"$schema": DIALECT, **schema}
            if self._definitions:
                whole["$defs"] = self._definitions
            found = self._compiled[id(schema)] = (schema, compiled(whole))
        return found[1].is_valid(value)
