"""Lint: advice about contracts, by the national profile and what an organisation raised in it.

It reads what was admitted or is about to be, and changes nothing. Whether a finding of level error
stops a registration is for the caller to decide.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from gateway.contracts.lint import contract_rules, schema_rules
from gateway.contracts.lint.findings import Finding, Level
from gateway.contracts.lint.places import places
from gateway.contracts.lint.profile import Profile, national
from gateway.contracts.values import Classification, Contract

__all__ = ["Finding", "Level", "Profile", "lint", "national"]

LISTED = 50  # findings of one rule in one document


def lint(
    contract: Contract, schema: Any, reply: Any = None, *, profile: Profile | None = None
) -> list[Finding]:
    """The advice about a contract with one version's schema(s), parsed; the gravest first."""
    profile = profile or national()
    found = [
        profile.finding(rule, "contract", pointer, message)
        for rule, pointer, message in contract_rules.told(contract, profile)
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
            more = f"{number - LISTED} more places are like this"
            yield profile.finding(rule, document, "", more)


def _of_schema(
    contract: Contract, document: str, schema: Any, profile: Profile
) -> Iterator[Finding]:
    public = contract.classification is Classification.PUBLIC
    for place in places(schema):
        for rule, step, message in schema_rules.told(place, profile):
            yield profile.finding(rule, document, f"{place.pointer}{step}", message)
        if public and place.schema.get("x-pii"):
            said = f"{place.name or 'a field'} is personal data, and the contract is public"
            yield profile.finding("classification", document, place.pointer, said)
