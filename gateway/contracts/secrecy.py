"""Member names that are personal data themselves: objects with a NIK or a name as their keys.

What `x-pii` marks is a value, and values are never told. A mark inside `propertyNames` says that
the names of members are such values too; then only names that the schema itself uses are told.
"""

from typing import Any

from gateway.contracts.soundness import within

_MASK = "…"


class Secrecy:
    """What of a pointer and of a message may be told."""

    def __init__(self, document: Any) -> None:
        self._known: frozenset[str] | None = None
        schemas = [schema for _, schema in within(document) if isinstance(schema, dict)]
        if any(_marked(schema.get("propertyNames")) for schema in schemas):
            self._known = frozenset(
                name for schema in schemas for name in schema.get("properties", ())
            )

    def path(self, path: list[str | int]) -> list[str | int]:
        """A path with every name masked that may be personal."""
        if self._known is None:
            return path
        return [s if isinstance(s, int) or s in self._known else _MASK for s in path]

    def message(self, message: str, keyword: str) -> str:
        """A message, which may name members that are not expected."""
        return message if self._known is None else f"{keyword} is not kept"


def _marked(schema: Any) -> bool:
    return any(isinstance(each, dict) and each.get("x-pii") for _, each in within(schema))
