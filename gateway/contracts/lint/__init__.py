"""Lint: advice about contracts, by the national profile and the levels that an organisation raised.

Lint changes nothing. The caller decides whether a finding of level error stops a registration.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from gateway.base.errors import Invalid
from gateway.contracts.keywords import dialect_uri
from gateway.contracts.lint import personal, rules
from gateway.contracts.lint.locations import locations
from gateway.contracts.lint.profile import Finding, Level, Profile, national
from gateway.contracts.schema_limits import DEFINITIONS
from gateway.contracts.standalone import standalone
from gateway.contracts.values import Classification, Contract

__all__ = ["Finding", "Level", "Profile", "lint", "national"]

LISTED = 50  # findings of one rule in one document


def lint(
    contract: Contract, schema: Any, reply: Any = None, *, profile: Profile | None = None
) -> list[Finding]:
    """The findings about a contract and the parsed schemas of one version, most severe first."""
    profile = profile or national()
    found = [
        profile.finding(rule, "contract", pointer, message)
        for hits in (rules, personal)
        for rule, pointer, message in hits.contract_hits(contract, profile)
    ]
    for document, content in (("schema", schema), ("reply", reply)):
        if content is not None:
            found += _of_schema(contract, document, content, profile)
    return sorted(_listed(found, profile), key=lambda finding: -finding.level.rank)


def _listed(found: list[Finding], profile: Profile) -> Iterator[Finding]:
    """The first findings of each rule and document, and how many more there are."""
    count: Counter[tuple[str, str]] = Counter()
    for each in found:
        key = (each.rule, each.document)
        count[key] += 1
        if count[key] <= LISTED:
            yield each
    for (rule, document), number in count.items():
        if number > LISTED:
            more = f"{number - LISTED} more findings like this"
            yield profile.finding(rule, document, "", more)


def _of_schema(
    contract: Contract, document: str, schema: Any, profile: Profile
) -> Iterator[Finding]:
    schema = _alone(schema)
    public = contract.classification is Classification.PUBLIC
    for location in locations(schema):
        for hits in (rules, personal):
            for rule, step, message in hits.schema_hits(location, profile):
                yield profile.finding(rule, document, f"{location.pointer}{step}", message)
        if public and location.schema.get("x-pii"):
            message = f"{location.name or 'a field'} is personal data, and the contract is public"
            yield profile.finding("classification", document, location.pointer, message)


def _alone(schema: Any) -> Any:
    """The form with references as pointers, which the rules follow, where it can be made."""
    if not isinstance(schema, dict) or "$schema" not in schema:
        return schema
    try:
        keyword = DEFINITIONS.get(dialect_uri(schema), "$defs")
        return standalone(schema, keyword, lambda _: True)
    except Invalid:
        return schema  # admission says what is wrong with it
