"""Findings, and the profile of rules: their levels and word lists, nationally and as raised."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from fnmatch import translate
from functools import cache
from pathlib import Path
from typing import Any

from gateway.base.errors import Invalid

_NATIONAL = Path(__file__).with_name("national.toml")


class Level(StrEnum):
    """The severity of a finding."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"

    @property
    def rank(self) -> int:
        """For comparisons: higher is more severe."""
        return list(Level).index(self)


@dataclass(frozen=True, slots=True)
class Finding:
    """One piece of advice. `document` is contract, schema or reply; `pointer` leads into it."""

    rule: str
    level: Level
    document: str
    pointer: str
    message: str
    advice: str


@dataclass(frozen=True)
class LintRule:
    """One rule of the profile: its level, the reason for it, and the advice."""

    level: Level
    why: str
    advice: str


@dataclass(frozen=True)
class Profile:
    """The rules of lint and their word lists, in lower case; see national.toml."""

    rules: Mapping[str, LintRule]
    unordered: frozenset[str]
    discouraged: frozenset[str]
    accomplished: tuple[str, ...]
    money: frozenset[str]
    currencies: frozenset[str]
    relations: frozenset[str]
    quantities: frozenset[str]
    units: frozenset[str]
    personal: Mapping[str, re.Pattern[str]]

    def raised(self, levels: Mapping[str, str]) -> "Profile":
        """The profile with raised levels. Raises Invalid for an unknown rule or a lower level."""
        rules = dict(self.rules)
        for name, text in levels.items():
            if name not in rules:
                raise Invalid(
                    f"{name!r} is not a lint rule. Use one of {', '.join(sorted(rules))}."
                )
            level = _level(text)
            if level.rank < rules[name].level.rank:
                raise Invalid(
                    f"The lint rule {name} has the national level {rules[name].level}. It can only "
                    "be raised."
                )
            rules[name] = replace(rules[name], level=level)
        return replace(self, rules=rules)

    def finding(self, rule: str, document: str, pointer: str, message: str) -> Finding:
        """A finding, with the level and the advice of its rule."""
        found = self.rules[rule]
        return Finding(rule, found.level, document, pointer, message, found.advice)

    def personal_kind(self, name: str) -> str | None:
        """The kind of personal data that a field of this name holds, if any."""
        return next((kind for kind, names in self.personal.items() if names.fullmatch(name)), None)


@cache
def national() -> Profile:
    """The profile in national.toml."""
    found: dict[str, Any] = tomllib.loads(_NATIONAL.read_text(encoding="utf-8"))
    return Profile(
        rules={
            name: LintRule(_level(rule["level"]), rule["why"], rule["do"])
            for name, rule in found["rules"].items()
        },
        unordered=frozenset(found["ordering"]["unordered"]),
        discouraged=frozenset(found["type-name"]["discouraged"]),
        accomplished=tuple(found["type-name"]["accomplished"]),
        money=frozenset(found["money"]["words"]),
        currencies=frozenset(found["money"]["currencies"]),
        relations=frozenset(found["money"]["relations"]),
        quantities=frozenset(found["units"]["quantities"]),
        units=frozenset(found["units"]["words"]),
        personal={kind: _any_of(names) for kind, names in found["personal"].items()},
    )


def _any_of(globs: list[str]) -> re.Pattern[str]:
    """A pattern that matches if any of the globs does; none matches nothing."""
    return re.compile("|".join(map(translate, globs)) or r"(?!)")


def _level(text: str) -> Level:
    try:
        return Level(text)
    except ValueError:
        raise Invalid(f"{text!r} is not a lint level. Use one of {', '.join(Level)}.") from None
