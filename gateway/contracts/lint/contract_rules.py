"""Rules about what stands around the schema. Told as (rule, pointer, message)."""

from collections.abc import Iterator

from gateway.contracts.lint.profile import Profile
from gateway.contracts.lint.schema_rules import Told
from gateway.contracts.values import Contract, Pattern


def told(contract: Contract, profile: Profile) -> Iterator[Told]:
    """What the rules say of a contract by itself."""
    yield from _explained(contract)
    yield from _type_name(contract, profile)
    yield from _ordering(contract, profile)


def _explained(contract: Contract) -> Iterator[Told]:
    if not contract.title.strip():
        yield "title", "/title", "the contract has no title"
    if not contract.description.strip():
        yield "description", "/description", "the contract has no description"


def _type_name(contract: Contract, profile: Profile) -> Iterator[Told]:
    parts = contract.type.split(".")
    if len(parts) != 6:
        yield "type-name", "/type", f"{contract.type} has {len(parts)} parts, not six"
        return
    entity, fact = parts[3], parts[4]
    for part in (entity, fact):
        for word in profile.discouraged & set(part.split("-")):
            yield "type-name", "/type", f"{word!r} says nothing about what has happened"
    is_fact = contract.pattern is Pattern.PUBLISH_SUBSCRIBE
    if is_fact and not fact.startswith(profile.accomplished):
        yield "fact-name", "/type", f"{fact!r} does not read like a fact that is accomplished"


def _ordering(contract: Contract, profile: Profile) -> Iterator[Told]:
    key = contract.ordering.key
    if not key:
        yield "ordering", "/ordering/key", "the contract names no ordering key"
    elif key == "id" and contract.pattern.value not in profile.unordered:
        yield "ordering", "/ordering/key", "every event is its own key, so nothing is in order"
    if not contract.ordering.description.strip():
        yield "ordering", "/ordering/description", f"nobody says what stands in {key or 'the key'}"
