"""Local validation of data, with the settings and so the result of the gateway."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import jsonschema_rs

from adapters.cli.exits import Failure
from adapters.client import Violation


class Annotation:
    """A keyword that accepts every value."""

    def __init__(self, parent: Any, value: Any, path: Any) -> None:
        """Keep nothing."""

    def validate(self, instance: Any) -> None:
        """Accept it."""


# The library asserts them in drafts 6 and 7. The gateway does not: as since 2019-09.
CONTENT: dict[str, Any] = dict.fromkeys(("contentEncoding", "contentMediaType"), Annotation)
HARMLESS = 6  # characters of a number that a message may show


@dataclass(frozen=True)
class SchemaValidator:
    """A compiled schema, and the same with messages that hide values. No `$ref` is fetched."""

    validator: Any
    discreet: Any

    @classmethod
    def of(cls, schema: Any) -> "SchemaValidator":
        """Compile a schema. Raises Failure if that fails."""
        try:
            return cls(_compiled(schema), _compiled(schema, mask="the value"))
        except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError) as error:
            raise Failure(f"The schema does not compile: {str(error).splitlines()[0]}") from None

    def accepts(self, data: Any) -> bool:
        """Whether the data are valid."""
        return bool(self.validator.is_valid(data))

    def violations(self, data: Any) -> Iterator[Violation]:
        """The violations of the data, without texts and long numbers of the data.

        They may be personal data, and what is printed ends in the log of a pipeline.
        """
        found = zip(self.validator.iter_errors(data), self.discreet.iter_errors(data), strict=True)
        for error, discreet in found:
            pointer = "".join(f"/{step}" for step in error.instance_path)
            message = error.message if _harmless(error.instance) else discreet.message
            yield Violation(pointer, str(error.schema_path[-1]), message)


def _compiled(schema: Any, **more: Any) -> Any:
    return jsonschema_rs.validator_for(
        schema,
        validate_formats=True,
        offline=True,
        pattern_options=jsonschema_rs.RegexOptions(),
        keywords=CONTENT,
        **more,
    )


def _harmless(value: Any) -> bool:
    """Whether a value is no text, no container, and too short for a number of a person."""
    return not isinstance(value, str | list | dict) and len(str(value)) <= HARMLESS


def validator_of(schema: Any) -> SchemaValidator | None:
    """The validator, or None if the schema cannot be compiled here: it may refer to others."""
    try:
        return SchemaValidator.of(schema)
    except Failure:
        return None
