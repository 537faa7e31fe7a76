"""What both validators say of a document: the only proof that this package shows to anybody."""

from typing import Any

import jsonschema_rs
from jsonschema import validators
from jsonschema.exceptions import ValidationError
from referencing import Registry

from gateway.contracts.compatibility.dialects import DIALECT, Unreadable


def compiled(schema: Any) -> jsonschema_rs.Validator:
    """A validator with the settings that intake judges by. Raises Unreadable."""
    try:
        return jsonschema_rs.validator_for(
            schema,
            validate_formats=True,
            ignore_unknown_formats=False,
            offline=True,
            pattern_options=jsonschema_rs.RegexOptions(),
        )
    except (ValueError, jsonschema_rs.ReferencingError) as error:
        reason = str(error).partition("\n")[0]
        raise Unreadable(f"the schema does not compile: {reason[:300]}") from None


class Witness:
    """A schema as `jsonschema-rs` and `jsonschema` read it."""

    def __init__(self, schema: Any) -> None:
        self._fast = compiled(schema)
        self._schema = schema

    def accepts(self, document: Any) -> bool:
        """What `jsonschema-rs` says, in microseconds."""
        return self._fast.is_valid(document)

    def agreed(self, document: Any) -> bool | None:
        """What both say; None if they differ."""
        kind = validators.validator_for(self._schema, validators.Draft202012Validator)
        slow = kind(self._schema, registry=Registry(), format_checker=kind.FORMAT_CHECKER)
        try:
            said = slow.is_valid(document)
        except (ValidationError, ArithmeticError, RecursionError, TypeError):
            return None
        return said if said is self._fast.is_valid(document) else None

    def objection(self, document: Any) -> str:
        """Why the document is refused, in one sentence."""
        for error in self._fast.iter_errors(document):
            path = "".join(f"/{step}" for step in error.instance_path)
            return f"`{path or '(root)'}`: {error.message}"[:400]
        return ""


class Parts:
    """Judges values by single schemas of a document in normal form."""

    def __init__(self, document: Any) -> None:
        self._definitions = document.get("$defs", {}) if isinstance(document, dict) else {}
        self._known: dict[int, tuple[Any, jsonschema_rs.Validator]] = {}

    def accept(self, schema: Any, value: Any) -> bool:
        """Whether a schema of the document accepts a value."""
        if isinstance(schema, bool):
            return schema
        known = self._known.get(id(schema))
        if known is None:
            whole = {"$schema": DIALECT, **schema}
            if self._definitions:
                whole["$defs"] = self._definitions
            known = self._known[id(schema)] = (schema, compiled(whole))
        return known[1].is_valid(value)
