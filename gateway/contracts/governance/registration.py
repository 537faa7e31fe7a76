"""Registration: new contracts, new versions, and changes of a contract's facts."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from gateway.base.database import Topic
from gateway.base.errors import (
    ConfirmationRequired,
    Conflict,
    Incompatible,
    Invalid,
    NotFound,
)
from gateway.contracts import (
    Contract,
    RegisteredContract,
    StoredVersion,
    VersionState,
    admit_contract,
    queries,
    registry,
)
from gateway.contracts.compatibility import Rule
from gateway.contracts.content import digest_of
from gateway.contracts.governance.comparison import CompatibilityReport
from gateway.contracts.governance.context import GovernanceContext
from gateway.contracts.governance.impact import Impact
from gateway.contracts.governance.permissions import (
    Revision,
    author_of,
    find_visible,
    require_revision,
    visibility_of,
)
from gateway.contracts.governance.planner import NewSchema, Planner, RegistrationPlan
from gateway.contracts.governance.report_contract import require_report, require_reports_valid
from gateway.contracts.lint import Finding
from gateway.contracts.registry import NewVersion
from gateway.identity import Client, Quota, policy, require_below

_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class NewContract:
    """A new contract with its first version. `rule` is its own, or None for the default."""

    contract: Contract
    rule: Rule | None
    schema: NewSchema


@dataclass(frozen=True, slots=True)
class RegistrationResult:
    """A version that was registered now (`created`) or before.

    `compatibility` is the comparison with earlier versions, `impact` is set if it is incompatible,
    `advice` holds the findings of lint.
    """

    registered: RegisteredContract
    version: StoredVersion
    created: bool
    advice: tuple[Finding, ...]
    compatibility: CompatibilityReport | None = None
    impact: Impact | None = None


@dataclass(frozen=True, slots=True)
class VersionCheck:
    """The result of a dry run. `existing` is the number of the version with the same schema."""

    compatibility: CompatibilityReport
    impact: Impact | None
    advice: tuple[Finding, ...]
    existing: int | None


class ContractRegistration:
    """Registers contracts and versions, and changes contracts."""

    def __init__(self, context: GovernanceContext) -> None:
        self._context = context
        self._planner = Planner(context)

    async def create(self, by: Client, new: NewContract) -> RegistrationResult:
        """Register a contract with its first version; an identical one is found again.

        Raises Forbidden, Invalid, or Conflict if the type is registered otherwise.
        """
        contract = new.contract
        plan, existing = await self._planned(by, new)
        if existing is not None:
            return existing
        plan, advice = await self._planner.admit(plan)
        async with self._context.database.change(Topic.CONTRACTS) as session:
            existing = await self._existing(session, new, plan)  # registered in the meantime
            if existing is not None:
                return existing
            await require_report(session, contract)
            await self._require_capacity(session, contract.owner)
            await registry.put_contract(session, contract, by=author_of(by))
            if new.rule is not None:
                await registry.put_rule(session, contract.type, new.rule, by=author_of(by))
            registered, version = await self._store(session, plan, VersionState.ACTIVE, None, by)
        return RegistrationResult(registered, version, True, advice)

    async def check_new(self, by: Client, new: NewContract) -> tuple[Finding, ...]:
        """Check a new contract without storing it; raises what `create` would raise."""
        plan, existing = await self._planned(by, new)
        if existing is not None:
            return existing.advice
        async with self._context.database.session() as session:
            await require_report(session, new.contract)
            await self._require_capacity(session, new.contract.owner)
        return (await self._planner.admit(plan))[1]

    async def _planned(
        self, by: Client, new: NewContract
    ) -> tuple[RegistrationPlan, RegistrationResult | None]:
        """The plan for a new contract; the contract, if it is registered as it is here."""
        contract = new.contract
        policy.require_administrator_of(by, contract.owner)
        admit_contract(contract)
        if contract.owner not in self._context.directory.value.organisations:
            raise Invalid(f"There is no organisation {contract.owner}.", pointer="/owner")
        async with self._context.database.session() as session:
            plan = await self._planner.first(session, by, contract, new.rule, new.schema)
            return plan, await self._existing(session, new, plan)

    async def _require_capacity(self, session: AsyncSession, owner: str) -> None:
        """Raises QuotaReached if an organisation has as many contracts as it may."""
        limit = self._context.directory.value.quota(owner, Quota.CONTRACTS)
        present = await queries.count_of(session, owner)
        advice = "Register a new version of one of them, or ask the operator for more."
        require_below(Quota.CONTRACTS, limit, present, advice)

    async def change(
        self,
        by: Client,
        type: str,
        changes: Mapping[str, Any],
        revision: Revision,
        *,
        confirmed: bool = False,
    ) -> RegisteredContract:
        """Change facts of a contract: fields of Contract by name, and `rule`.

        Raises NotFound, Forbidden, Invalid, PreconditionFailed; ConfirmationRequired, with the
        impact, where events would be kept for a shorter time and that is not confirmed.
        """
        visibility = visibility_of(by, self._context.directory.value)
        async with self._context.database.change(Topic.CONTRACTS) as session:
            registered = await find_visible(session, type, visibility)
            policy.require_administrator_of(by, registered.contract.owner)
            require_revision(registered, revision)
            facts = {name: value for name, value in changes.items() if name != "rule"}
            contract = replace(registered.contract, **facts)
            admit_contract(contract)
            await require_report(session, contract)
            if contract.keeps_shorter_than(registered.contract) and not confirmed:
                raise _shorter(contract, await self._planner.impact(contract))
            await registry.put_contract(session, contract, by=author_of(by))
            if "rule" in changes:
                await registry.put_rule(session, type, changes["rule"], by=author_of(by))
            return await find_visible(session, type, visibility)

    async def add(
        self, by: Client, type: str, new: NewSchema, revision: Revision
    ) -> RegistrationResult:
        """Register the next version of a contract; an identical schema is found again.

        Unless it is proven compatible, raises Incompatible with the report and the impact; with
        `new.breaking` it becomes a draft instead, which another administrator may approve.
        """
        for _ in range(_ATTEMPTS):
            async with self._context.database.session() as session:
                registered, plan = await self._planner.next(session, by, type, new)
            if plan.existing is not None:
                return RegistrationResult(
                    registered, plan.existing, False, await self._planner.advice(plan)
                )
            require_revision(registered, revision)
            plan, advice = await self._planner.admit(plan)
            report = await self._planner.compare(plan)
            impact = None if report.compatible else await self._planner.impact(registered.contract)
            if impact is not None and not new.breaking:
                raise _incompatible(report, impact)
            state = VersionState.ACTIVE if impact is None else VersionState.DRAFT
            async with self._context.database.change(Topic.CONTRACTS) as session:
                now = await queries.find(session, type)
                if now is not None and now.revision == registered.revision:
                    await require_reports_valid(session, plan.catalogue_version)
                    now, version = await self._store(session, plan, state, report, by)
                    return RegistrationResult(now, version, True, advice, report, impact)
        raise Conflict("The contract keeps changing at the same time. Try again.")

    async def check(self, by: Client, type: str, new: NewSchema) -> VersionCheck:
        """Check a new version without storing it."""
        async with self._context.database.session() as session:
            registered, plan = await self._planner.next(session, by, type, new)
        if new.valid or new.invalid:
            await self._planner.admit(plan)
        report = await self._planner.compare(plan)
        impact = None if report.compatible else await self._planner.impact(registered.contract)
        existing = None if plan.existing is None else plan.existing.version.number
        return VersionCheck(report, impact, await self._planner.advice(plan), existing)

    async def impact(self, by: Client, type: str) -> Impact:
        """The subscriptions and publishers of a contract. Raises NotFound, Forbidden."""
        visibility = visibility_of(by, self._context.directory.value)
        async with self._context.database.session() as session:
            registered = await find_visible(session, type, visibility)
        policy.require_administrator_of(by, registered.contract.owner)
        return await self._planner.impact(registered.contract)

    async def _existing(
        self, session: AsyncSession, new: NewContract, plan: RegistrationPlan
    ) -> RegistrationResult | None:
        """The contract, if it is registered with the same facts and this schema among its versions.

        Raises Conflict if it is registered otherwise.
        """
        registered = await queries.find(session, new.contract.type)
        if registered is None:
            return None
        number = await registry.number_of(session, new.contract.type, digest_of(plan.version))
        if number is None or (registered.contract, registered.rule) != (new.contract, new.rule):
            raise _taken(new.contract.type)
        version = await queries.version(session, new.contract.type, number)
        if version is None:
            raise NotFound(f"{new.contract.type} has no version {number}.")
        return RegistrationResult(registered, version, False, await self._planner.advice(plan))

    async def _store(
        self,
        session: AsyncSession,
        plan: RegistrationPlan,
        state: VersionState,
        report: CompatibilityReport | None,
        by: Client,
    ) -> tuple[RegisteredContract, StoredVersion]:
        document = None if report is None else report.document()
        await registry.add_version(
            session,
            plan.submission,
            NewVersion(plan.version, plan.bundles, state, document, plan.closed, plan.inline_bytes),
            by=author_of(by),
        )
        type, number = plan.submission.contract.type, plan.version.number
        registered, version = (
            await queries.find(session, type),
            await queries.version(session, type, number),
        )
        if registered is None or version is None:
            raise NotFound(f"{type} has no version {number}.")
        return registered, version


def _taken(type: str) -> Conflict:
    return Conflict(
        f"{type} is already registered with other facts. Change it, add a version, or register a "
        "new major type."
    )


def _shorter(contract: Contract, impact: Impact) -> ConfirmationRequired:
    return ConfirmationRequired(
        f"Events of {contract.type} would be kept for {contract.retention_days} days only. Older "
        "ones are removed from a week after the change on, unless it is undone, and cannot be "
        "received, read or redriven then. Repeat the request with confirm=true.",
        {"impact": impact.as_json()},
    )


def _incompatible(report: CompatibilityReport, impact: Impact) -> Incompatible:
    found = report.as_json()
    reason = (
        f"The new version is not compatible with version {found['against']} "
        f"({found['direction']}, {found['policy']})."
        if found["outcome"] == "incompatible"
        else f"The new version is not proven to be compatible. {found['reason']}"
    )
    return Incompatible(
        f"{reason} Change it, register a new major type, or send it again with breaking=true, so "
        "that another administrator of the owner can approve it.",
        {"compatibility": found, "impact": impact.as_json()},
    )
