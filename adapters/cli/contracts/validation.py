"""Local validation of data, with the settings and so the result of the gateway."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import jsonschema_rs

from adapters.cli.exits import Failure
from adapters.client import Violation


@dataclass(frozen=True)
class SchemaValidator:
    """A compiled schema. Nothing is fetched for a `$ref`."""

    validator: Any

    @classmethod
    def of(cls, schema: Any) -> "SchemaValidator":
        """Compile a schema. Raises Failure if that fails."""
        try:
            return cls(
                jsonschema_rs.validator_for(
                    schema,
                    validate_formats=True,
                    ignore_unknown_formats=False,
                    offline=True,
                    pattern_options=jsonschema_rs.RegexOptions(),
                )
            )
        except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError) as error:
            raise Failure(f"The schema does not compile: {str(error).splitlines()[0]}") from None

    def accepts(self, data: Any) -> bool:
        """Whether the data are valid."""
        return bool(self.validator.is_valid(data))

    def violations(self, data: Any) -> Iterator[Violation]:
        """The violations of the data."""
        for error in self.validator.iter_errors(data):
            pointer = "".join(f"/{step}" for step in error.instance_path)
            yield Violation(pointer, str(error.schema_path[-1]), error.message)


def validator_of(schema: Any) -> SchemaValidator | None:
    """The validator, or None if the schema cannot be compiled here: it may refer to others."""
    try:
        return SchemaValidator.of(schema)
    except Failure:
        return None
