"""Strict reading of TOML tables: every key is known, has its type, and is named in errors."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from enum import StrEnum
from typing import Any, TypeVar

Choice = TypeVar("Choice", bound=StrEnum)
Value = TypeVar("Value")


class LayoutError(ValueError):
    """A layout or feed file is invalid. `where` is the file and the key."""

    def __init__(self, where: str, problem: str, remedy: str) -> None:
        super().__init__(f"{where}: {problem}. {remedy}.")
        self.where = where
        self.problem = problem
        self.remedy = remedy


class Section:
    """A table of the file. `close` refuses the keys that were not read."""

    def __init__(self, content: Mapping[str, Any], where: str) -> None:
        self.content = content
        self.where = where
        self.known: set[str] = set()

    def error(self, key: str, problem: str, remedy: str) -> LayoutError:
        """A LayoutError about a key, for the caller to raise."""
        return LayoutError(f"{self.where}{key}", problem, remedy)

    def text(self, key: str, default: str) -> str:
        """A text."""
        return self._typed(key, default, str, "a text in quotes")

    def integer(self, key: str, default: int) -> int:
        """A whole number of 0 or more."""
        found = self._typed(key, default, int, "a whole number")
        if found < 0:
            raise self.error(key, f"{found} is negative", "Give 0 or more")
        return found

    def signed(self, key: str, default: int) -> int:
        """A whole number."""
        return self._typed(key, default, int, "a whole number")

    def flag(self, key: str, default: bool) -> bool:
        """True or false."""
        return self._typed(key, default, bool, "true or false")

    def choice(self, key: str, default: Choice) -> Choice:
        """A value of the default's type."""
        found: Choice = self.one_of(key, type(default), default)
        return found

    def one_of(self, key: str, choices: type[Choice], default: Choice | None) -> Any:
        """One of the choices, or the default."""
        if key not in self._content(key):
            return default
        found = self._typed(key, "", str, "a text in quotes")
        known = [each.value for each in choices]
        if found not in known:
            raise self.error(key, f"{found!r} is unknown", f"Use one of {', '.join(known)}")
        return choices(found)

    def items(self, key: str) -> list[Any]:
        """A list of anything."""
        return self._typed(key, [], list, "a list")

    def any(self, key: str) -> Any:
        """Any value; None if the key is missing."""
        return self._content(key).get(key)

    def section(self, key: str) -> "Section":
        """A table; empty if the key is missing."""
        return Section(self._typed(key, {}, dict, "a table"), f"{self.where}{key}.")

    def sections(self, key: str) -> Iterator["Section"]:
        """The tables of a list."""
        for number, each in enumerate(self._typed(key, [], list, "a list of tables"), 1):
            name = f"{key}[{number}]"
            if not isinstance(each, dict):
                raise self.error(name, "is not a table", "Write { field = ..., values = [...] }")
            yield Section(each, f"{self.where}{name}.")

    def named(self, key: str) -> Iterator[tuple[str, "Section"]]:
        """The tables of a table, with their names."""
        inside = self.section(key)
        for name in inside.content:
            yield name, inside.section(name)

    def close(self) -> None:
        """Raises LayoutError for a key that was not read."""
        for key in self.content:
            if key not in self.known:
                near = get_close_matches(key, self.known, 1)
                raise self.error(
                    key,
                    "unknown key",
                    f"Perhaps you mean {near[0]}"
                    if near
                    else f"Known: {', '.join(sorted(self.known))}",
                )

    def _content(self, key: str) -> Mapping[str, Any]:
        self.known.add(key)
        return self.content

    def _typed(self, key: str, default: Value, kind: type[Value], what: str) -> Value:
        found: Value = self._content(key).get(key, default)
        if type(found) is not kind:
            raise self.error(key, f"{found!r} is not {what}", f"Write {what}")
        return found
