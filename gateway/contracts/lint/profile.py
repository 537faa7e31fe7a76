"""The rules' levels and words: the national profile, and what an organisation raised in it."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fnmatch import translate
from functools import cache
from pathlib import Path
from typing import Any

from gateway.base.errors import Invalid
from gateway.contracts.lint.findings import Finding, Level

_NATIONAL = Path(__file__).with_name("national.toml")


@dataclass(frozen=True)
class Rule:
    """One rule as the profile words it."""

    level: Level
    why: str
    advice: str


@dataclass(frozen=True)
class Profile:
    """What lint goes by. The sets are words in lower case; see national.toml for each."""

    rules: Mapping[str, Rule]
    unordered: frozenset[str]
    discouraged: frozenset[str]
    accomplished: tuple[str, ...]
    money: frozenset[str]
    currencies: frozenset[str]
    quantities: frozenset[str]
    units: frozenset[str]
    personal: Mapping[str, re.Pattern[str]]

    def raised(self, levels: Mapping[str, str]) -> "Profile":
        """The profile of an organisation. Raises Invalid for no rule, and for a lower level."""
        rules = dict(self.rules)
        for name, text in levels.items():
            if name not in rules:
                raise Invalid(f"{name!r} is no lint rule: they are {', '.join(sorted(rules))}")
            level = _level(text)
            if level.rank < rules[name].level.rank:
                raise Invalid(
                    f"the lint rule {name} is {rules[name].level} nationally: it can only be raised"
                )
            rules[name] = replace(rules[name], level=level)
        return replace(self, rules=rules)

    def finding(self, rule: str, document: str, pointer: str, message: str) -> Finding:
        """A finding, with the level and the advice that this profile has for its rule."""
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
            name: Rule(_level(rule["level"]), rule["why"], rule["do"])
            for name, rule in found["rules"].items()
        },
        unordered=frozenset(found["ordering"]["unordered"]),
        discouraged=frozenset(found["type-name"]["discouraged"]),
        accomplished=tuple(found["type-name"]["accomplished"]),
        money=frozenset(found["money"]["words"]),
        currencies=frozenset(found["money"]["currencies"]),
        quantities=frozenset(found["units"]["quantities"]),
        units=frozenset(found["units"]["words"]),
        personal={kind: _any_of(names) for kind, names in found["personal"].items()},
    )


def _any_of(globs: list[str]) -> re.Pattern[str]:
    """Matches what any of them matches; nothing where there are none."""
    return re.compile("|".join(map(translate, globs)) or r"(?!)")


def _level(text: str) -> Level:
    try:
        return Level(text)
    except ValueError:
        raise Invalid(f"{text!r} is no lint level: they are {', '.join(Level)}") from None
