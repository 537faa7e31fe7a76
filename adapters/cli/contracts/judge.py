"""Judging data by a schema here, with the settings of the gateway, so with its verdict."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import jsonschema_rs

from adapters.cli.exits import Failure
from adapters.client import Violation


@dataclass(frozen=True)
class Judge:
    """A schema that is compiled. Nothing is fetched for a `$ref`."""

    validator: Any

    @classmethod
    def of(cls, schema: Any) -> "Judge":
        """Raises Failure for a schema that does not compile."""
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
            raise Failure(f"the schema does not compile: {str(error).splitlines()[0]}") from None

    def accepts(self, data: Any) -> bool:
        """Whether the data fit."""
        return bool(self.validator.is_valid(data))

    def violations(self, data: Any) -> Iterator[Violation]:
        """What does not fit, where."""
        for error in self.validator.iter_errors(data):
            pointer = "".join(f"/{step}" for step in error.instance_path)
            yield Violation(pointer, str(error.schema_path[-1]), error.message)


def judge_of(schema: Any) -> Judge | None:
    """The judge, or None where the schema cannot be compiled here: it may refer to others."""
    try:
        return Judge.of(schema)
    except Failure:
        return None
