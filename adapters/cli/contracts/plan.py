"""Plans: the steps that bring the registry to the content of a folder."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import httpx

from adapters.cli.contracts.difference import Difference, differences
from adapters.cli.contracts.folder import Contract
from adapters.cli.contracts.registry import FACTS, RegisteredContract, Registry
from adapters.client import Problem

_REFUSALS = {httpx.codes.UNPROCESSABLE_ENTITY, httpx.codes.CONFLICT}
CONCURRENCY = 4  # contracts that are planned at the same time


class Kind(StrEnum):
    """How a contract in the files differs from the registry, the most severe last."""

    SAME = "same"
    NEW = "new"
    CHANGED = "changed"
    BREAKING = "breaking"
    REFUSED = "refused"

    @property
    def rank(self) -> int:
        """For comparisons: higher is more severe."""
        return list(Kind).index(self)


@dataclass(frozen=True, slots=True)
class Step:
    """One change of the registry. `number` is the new version, None for facts.

    `report` is the registry's check of a version: compatibility and impact.
    """

    kind: Kind
    number: int | None
    differences: tuple[Difference, ...] = ()
    report: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""

    def as_json(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "kind": self.kind,
            "version": self.number,
            "differences": [each.as_json() for each in self.differences],
            **self.report,
            **({"reason": self.reason} if self.reason else {}),
        }


@dataclass(frozen=True, slots=True)
class ContractPlan:
    """The steps for one contract. `notes` change nothing."""

    contract: Contract
    steps: tuple[Step, ...]
    etag: str = ""
    notes: tuple[str, ...] = ()

    @property
    def kind(self) -> Kind:
        """The most severe kind of its steps."""
        return max((step.kind for step in self.steps), key=lambda k: k.rank, default=Kind.SAME)

    def as_json(self) -> dict[str, Any]:
        """As JSON has it."""
        steps = [step.as_json() for step in self.steps]
        notes = list(self.notes)
        return {"type": self.contract.type, "kind": self.kind, "steps": steps, "notes": notes}


async def plan(registry: Registry, contracts: Sequence[Contract]) -> list[ContractPlan]:
    """The plans for those of these contracts that the client may administer.

    Raises Problem (403) if there are none.
    """
    turns = asyncio.Semaphore(CONCURRENCY)
    forbidden: list[Problem] = []
    types = {each.type for each in contracts}

    async def one(contract: Contract) -> ContractPlan | None:
        async with turns:
            try:
                return await contract_plan(registry, contract, types)
            except Problem as problem:
                if problem.status != httpx.codes.FORBIDDEN:
                    raise
                forbidden.append(problem)
                return None

    found = await asyncio.gather(*(one(contract) for contract in contracts))
    plans = [each for each in found if each is not None]
    if forbidden and not plans:
        raise forbidden[0]
    return plans


async def contract_plan(
    registry: Registry, contract: Contract, types: AbstractSet[str] = frozenset()
) -> ContractPlan:
    """The plan for one contract, beside others of these types. Raises Problem."""
    registered = await registry.find(contract.type)
    if registered is None:
        return ContractPlan(contract, tuple(await _new(registry, contract, types)))
    steps = [*_facts(registered.contract, contract)]
    for number in contract.versions:
        step = await _version(registry, registered, contract, number)
        if step is not None:
            steps.append(step)
    if steps:
        await registry.require_administrator(contract.type)
    notes = tuple(_notes(registered, contract))
    return ContractPlan(contract, tuple(steps), registered.etag, notes)


async def _new(registry: Registry, contract: Contract, types: AbstractSet[str]) -> Sequence[Step]:
    """The steps for a new contract, as the registry would answer them."""
    refusals = dict.fromkeys(contract.versions, "")
    first = min(contract.versions)
    if not _refers_to(contract.versions[first].text, types - {contract.type}):
        try:
            await registry.check_new(contract)
        except Problem as problem:
            if problem.status not in _REFUSALS:
                raise
            refusals[first] = problem.detail
    refusals[contract.newest] = refusals[contract.newest] or contract.example_fault
    return [
        Step(Kind.REFUSED if refusal else Kind.NEW, number, reason=refusal)
        for number, refusal in refusals.items()
    ]


def _refers_to(text: bytes, types: AbstractSet[str]) -> bool:
    """Whether a schema needs another of the folder, which may not be registered yet."""
    return any(f"urn:nusabus:contract:{type}:".encode() in text for type in types)


def _facts(before: Contract, after: Contract) -> Iterator[Step]:
    for name in ("owner", "pattern"):
        if before.about[name] != after.about.get(name):
            change = Difference("changed", f"/{name}", before.about[name], after.about.get(name))
            reason = f"{name} cannot change: register a new major type"
            yield Step(Kind.REFUSED, None, (change,), reason=reason)
    found = tuple(
        differences(
            {name: before.about.get(name) for name in FACTS},
            {name: after.about.get(name) for name in FACTS},
        )
    )
    if found:
        yield Step(Kind.CHANGED, None, found)


async def _version(
    registry: Registry, registered: RegisteredContract, contract: Contract, number: int
) -> Step | None:
    """The step that registers a version; None if it is registered."""
    known, new = registered.contract.versions, contract.versions[number]
    if number in known:
        if new.same_as(known[number]):
            return None
        found = tuple(_between(registered.contract, number, contract, number))
        reason = f"version {number} is registered with another schema: add the change as version "
        return Step(Kind.REFUSED, number, found, reason=f"{reason}{max(known) + 1}")
    report, refusal = await _checked(registry, contract, number)
    before = max((each for each in (*known, *contract.versions) if each < number), default=None)
    source = registered.contract if before in known else contract
    found = () if before is None else tuple(_between(source, before, contract, number))
    if report.get("existing") is not None:
        refusal = f"it has the schema of version {report['existing']}"
    refusal = refusal or _fault(contract, number, report.get("advice", ()))
    if refusal:
        return Step(Kind.REFUSED, number, found, report, refusal)
    compatible = report["compatibility"]["outcome"] == "compatible"
    return Step(Kind.CHANGED if compatible else Kind.BREAKING, number, found, report)


def _fault(contract: Contract, number: int, advice: Sequence[Mapping[str, Any]]) -> str:
    """What registering a version refuses and its check does not: lint errors, no examples."""
    errors = [each for each in advice if each["level"] == "error"]
    if errors:
        listed = "; ".join(f"{each['message']}: {each['advice']}" for each in errors)
        return f"lint found {len(errors)} error(s): {listed}"
    kinds = ("examples/valid", "examples/invalid")
    if number == contract.newest and not all(contract.examples.get(each) for each in kinds):
        return "at least one valid and one invalid example are required"
    return ""


async def _checked(
    registry: Registry, contract: Contract, number: int
) -> tuple[Mapping[str, Any], str]:
    """The registry's check of a version, and why it would be refused, if so.

    If the examples do not fit, the comparison is still made without them.
    """
    refusal = ""
    for examples in (True, False):
        try:
            return await registry.check(contract, number, examples=examples), refusal
        except Problem as problem:
            if problem.status != httpx.codes.UNPROCESSABLE_ENTITY:
                raise
            refusal = refusal or problem.detail
    return {}, refusal


def _between(before: Contract, old: int, after: Contract, new: int) -> Iterator[Difference]:
    one, other = before.versions[old], after.versions[new]
    yield from differences(_anonymous(one.schema), _anonymous(other.schema))
    yield from differences(_anonymous(one.reply_schema), _anonymous(other.reply_schema), "/reply")


def _anonymous(schema: Any) -> Any:
    """A schema without its id, which differs from version to version."""
    if not isinstance(schema, dict):
        return schema
    return {name: value for name, value in schema.items() if name != "$id"}


def _notes(registered: RegisteredContract, contract: Contract) -> Iterator[str]:
    only = sorted(set(registered.contract.versions) - set(contract.versions))
    if only:
        numbers = ", ".join(map(str, only))
        yield f"version {numbers} is registered but not in the files: use pull"
    newest = max(registered.contract.versions, default=None)
    if newest == contract.newest and registered.contract.examples != contract.examples:
        yield f"the examples differ from the registered ones of version {newest}, which stay"
    for number, state in registered.states.items():
        if state in ("draft", "deprecated", "retired"):
            yield f"version {number} is {state}"
