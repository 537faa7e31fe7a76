"""Register what may be said: new contracts, new versions, and what holds for them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from gateway.base.database import Topic
from gateway.base.errors import Conflict, Incompatible, Invalid, NotFound
from gateway.contracts import (
    Contract,
    Registered,
    State,
    StoredVersion,
    admit_contract,
    queries,
    registry,
)
from gateway.contracts.compatibility import Rule
from gateway.contracts.content import digest_of
from gateway.contracts.governance.comparison import Judged
from gateway.contracts.governance.impact import Impact
from gateway.contracts.governance.permissions import (
    Revision,
    author_of,
    require_revision,
    sight_of,
    visible,
)
from gateway.contracts.governance.planning import Dependencies, NewSchema, Plan, Planning
from gateway.contracts.governance.report_contract import require_kept, require_report
from gateway.contracts.lint import Finding
from gateway.contracts.registry import NewVersion
from gateway.identity import Client, policy

_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class NewContract:
    """A contract to be, with its first version. `rule` is its own, or None for the default."""

    contract: Contract
    rule: Rule | None
    schema: NewSchema


@dataclass(frozen=True, slots=True)
class RegistrationResult:
    """A version that was registered, or found again.

    `judged` is what was found against the versions before, `impact` who is hit where it breaks
    them; `advice` is what lint says.
    """

    registered: Registered
    version: StoredVersion
    created: bool
    advice: tuple[Finding, ...]
    judged: Judged | None = None
    impact: Impact | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What would become of a version: `existing` is the number of the one with the same schema."""

    judged: Judged
    impact: Impact | None
    advice: tuple[Finding, ...]
    existing: int | None


class Governing:
    """The rules by which contracts come to be and change."""

    def __init__(self, use: Dependencies) -> None:
        self._use = use
        self._planning = Planning(use)

    async def create(self, by: Client, new: NewContract) -> RegistrationResult:
        """Register a contract with its first version; the very same one again is found.

        Raises Forbidden, Invalid, or Conflict when the type is registered otherwise.
        """
        contract = new.contract
        policy.require_administrator_of(by, contract.owner)
        admit_contract(contract)
        if contract.owner not in self._use.directory.value.organisations:
            raise Invalid(f"there is no organisation {contract.owner}", pointer="/owner")
        async with self._use.database.session() as session:
            plan = await self._planning.first(session, by, contract, new.rule, new.schema)
            again = await self._same(session, new, plan)
        if again is not None:
            return again
        advice = await self._planning.admit(plan)
        async with self._use.database.change(Topic.CONTRACTS) as session:
            again = await self._same(session, new, plan)  # from somebody else, meanwhile
            if again is not None:
                return again
            await require_report(session, contract)
            await registry.put_contract(session, contract, by=author_of(by))
            if new.rule is not None:
                await registry.put_rule(session, contract.type, new.rule, by=author_of(by))
            registered, version = await self._store(session, plan, State.ACTIVE, None, by)
        return RegistrationResult(registered, version, True, advice)

    async def change(
        self, by: Client, type: str, changes: Mapping[str, Any], revision: Revision
    ) -> Registered:
        """Change facts of a contract: fields of Contract by name, and `rule`.

        Raises NotFound, Forbidden, Invalid, PreconditionFailed.
        """
        sight = sight_of(by, self._use.directory.value)
        async with self._use.database.change(Topic.CONTRACTS) as session:
            registered = await visible(session, type, sight)
            policy.require_administrator_of(by, registered.contract.owner)
            require_revision(registered, revision)
            facts = {name: value for name, value in changes.items() if name != "rule"}
            contract = replace(registered.contract, **facts)
            admit_contract(contract)
            await require_report(session, contract)
            await registry.put_contract(session, contract, by=author_of(by))
            if "rule" in changes:
                await registry.put_rule(session, type, changes["rule"], by=author_of(by))
            return await visible(session, type, sight)

    async def add(
        self, by: Client, type: str, new: NewSchema, revision: Revision
    ) -> RegistrationResult:
        """Register the next version of a contract; the very same schema again is found.

        What is not proven compatible raises Incompatible with what was found and who is hit, or,
        if it is meant to break, becomes a draft that another administrator may approve.
        """
        for _ in range(_ATTEMPTS):
            async with self._use.database.session() as session:
                registered, plan = await self._planning.next(session, by, type, new)
            if plan.existing is not None:
                return RegistrationResult(
                    registered, plan.existing, False, await self._planning.advice(plan)
                )
            require_revision(registered, revision)
            advice = await self._planning.admit(plan)
            judged = await self._planning.judge(plan)
            impact = None if judged.compatible else await self._planning.impact(registered.contract)
            if impact is not None and not new.breaking:
                raise _incompatible(judged, impact)
            state = State.ACTIVE if impact is None else State.DRAFT
            async with self._use.database.change(Topic.CONTRACTS) as session:
                now = await queries.find(session, type)
                if now is not None and now.revision == registered.revision:
                    await require_kept(session, plan.versioned)
                    now, version = await self._store(session, plan, state, judged, by)
                    return RegistrationResult(now, version, True, advice, judged, impact)
        raise Conflict("others change this contract all the time: try again")

    async def check(self, by: Client, type: str, new: NewSchema) -> Answer:
        """What would become of a version; nothing is stored."""
        async with self._use.database.session() as session:
            registered, plan = await self._planning.next(session, by, type, new)
        if new.valid or new.invalid:
            await self._planning.admit(plan)
        judged = await self._planning.judge(plan)
        impact = None if judged.compatible else await self._planning.impact(registered.contract)
        existing = None if plan.existing is None else plan.existing.version.number
        return Answer(judged, impact, await self._planning.advice(plan), existing)

    async def impact(self, contract: Contract) -> Impact:
        """Who receives and who publishes a type."""
        return await self._planning.impact(contract)

    async def _same(
        self, session: AsyncSession, new: NewContract, plan: Plan
    ) -> RegistrationResult | None:
        """The contract, if it is registered with the very same facts and this schema among its
        versions. Raises Conflict if it is registered otherwise."""
        registered = await queries.find(session, new.contract.type)
        if registered is None:
            return None
        number = await registry.number_of(session, new.contract.type, digest_of(plan.version))
        if number is None or (registered.contract, registered.rule) != (new.contract, new.rule):
            raise _taken(new.contract.type)
        version = await queries.version(session, new.contract.type, number)
        if version is None:
            raise NotFound(f"{new.contract.type} has no version {number}")
        return RegistrationResult(registered, version, False, await self._planning.advice(plan))

    async def _store(
        self, session: AsyncSession, plan: Plan, state: State, judged: Judged | None, by: Client
    ) -> tuple[Registered, StoredVersion]:
        verdict = None if judged is None else judged.document()
        await registry.add_version(
            session,
            plan.submission,
            NewVersion(plan.version, state, verdict, plan.closed),
            by=author_of(by),
            library=plan.library,
        )
        type, number = plan.submission.contract.type, plan.version.number
        registered, version = (
            await queries.find(session, type),
            await queries.version(session, type, number),
        )
        if registered is None or version is None:
            raise NotFound(f"{type} has no version {number}")
        return registered, version


def _taken(type: str) -> Conflict:
    return Conflict(
        f"{type} is registered already, and not exactly like this: change it, add a version to it, "
        "or register a new major type"
    )


def _incompatible(judged: Judged, impact: Impact) -> Incompatible:
    report = judged.report()
    said = (
        "the new version would break what version "
        f"{report['against']} promised ({report['direction']}, {report['policy']})"
        if report["outcome"] == "incompatible"
        else f"that the new version breaks nothing is not proven: {report['reason']}"
    )
    return Incompatible(
        f"{said}: change it, register a new major type, or send it again with breaking=true, so "
        "that another administrator of the owner may approve it",
        {"compatibility": report, "impact": impact.report()},
    )
