"""Planning a registration: the new version, its library, its advice, comparison and impact."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from gateway.base.errors import Invalid
from gateway.contracts import (
    CatalogueVersion,
    Contract,
    InvalidExample,
    RegisteredContract,
    StoredVersion,
    Submission,
    Version,
    VersionState,
    defaults,
    queries,
)
from gateway.contracts.admission import Bundles, bundles_of, require_readable
from gateway.contracts.compatibility import CompatibilityPolicy, Rule
from gateway.contracts.compilation import Library
from gateway.contracts.content import digest_of
from gateway.contracts.cost import INLINE_UNKNOWN
from gateway.contracts.governance.comparison import (
    CompatibilityReport,
    bundles_by_number,
    compare_versions,
    in_force,
)
from gateway.contracts.governance.context import GovernanceContext
from gateway.contracts.governance.impact import Impact, impact_of
from gateway.contracts.governance.permissions import (
    find_visible,
    visibility_of,
)
from gateway.contracts.lint import Finding, Level, lint, national
from gateway.identity import Client, policy


@dataclass(frozen=True, slots=True)
class NewSchema:
    """A new version: the schemas as written and parsed, and examples.

    With `breaking`, an incompatible version becomes a draft that waits for approval.
    """

    text: bytes
    document: Any
    reply: bytes | None = None
    reply_document: Any = None
    valid: Mapping[str, Any] = field(default_factory=dict)
    invalid: tuple[InvalidExample, ...] = ()
    valid_replies: Mapping[str, Any] = field(default_factory=dict)
    invalid_replies: tuple[InvalidExample, ...] = ()
    breaking: bool = False

    def submission(self, contract: Contract, number: int) -> Submission:
        """The submission of this version under a number."""
        version = Version(number, self.text, self.reply)
        vars(version).update(document=self.document, reply_document=self.reply_document)
        return Submission(
            contract,
            (version,),
            self.valid,
            self.invalid,
            self.valid_replies,
            self.invalid_replies,
        )


@dataclass(frozen=True)
class RegistrationPlan:
    """A new version beside the registered ones.

    `older` are the versions that it is compared with, `existing` is the one with the same schema,
    `levels` are the lint levels that its owner raised, `inline_bytes` is known once it is admitted.
    """

    rule: Rule
    submission: Submission
    library: Library
    levels: Mapping[str, str]
    older: tuple[StoredVersion, ...] = ()
    existing: StoredVersion | None = None
    inline_bytes: int = INLINE_UNKNOWN

    @property
    def version(self) -> Version:
        """The new version."""
        return self.submission.versions[0]

    @cached_property
    def bundles(self) -> Bundles:
        """The schemas with all references embedded; large ones take 0.3 s of CPU."""
        return bundles_of(self.version, self.library)

    @property
    def catalogue_version(self) -> CatalogueVersion:
        """The new version as the catalogue will hold it once it is active."""
        text = self.bundles.text or self.version.text
        type, number = self.submission.contract.type, self.version.number
        return CatalogueVersion(
            type, number, VersionState.ACTIVE, None, text, self.closed, self.inline_bytes
        )

    @property
    def closed(self) -> bool:
        """Whether data will be validated against its closed form."""
        return self.rule.policy is CompatibilityPolicy.OPTIONAL_FRIENDLY


class Planner:
    """Makes plans and checks them. It never writes."""

    def __init__(self, context: GovernanceContext) -> None:
        self._context = context

    async def first(
        self,
        session: AsyncSession,
        by: Client,
        contract: Contract,
        rule: Rule | None,
        new: NewSchema,
    ) -> RegistrationPlan:
        """The plan for a new contract. Raises Invalid if a schema cannot be read."""
        submission = new.submission(contract, 1)
        require_readable(contract.type, submission.versions[0])
        found = await defaults.defaults_of(session, contract.owner)
        return RegistrationPlan(
            rule or found.rule,
            submission,
            await self._library(session, by, submission.versions[0]),
            found.lint,
        )

    async def next(
        self, session: AsyncSession, by: Client, type: str, new: NewSchema
    ) -> tuple[RegisteredContract, RegistrationPlan]:
        """The plan for a registered contract. Raises NotFound, Forbidden, Invalid."""
        # One snapshot: the revision that is checked at the end belongs to the versions read here.
        await session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        visibility = visibility_of(by, self._context.directory.value)
        registered = await find_visible(session, type, visibility)
        policy.require_administrator_of(by, registered.contract.owner)
        found = await defaults.defaults_of(session, registered.contract.owner)
        older = await queries.versions(session, type)
        number = max((each.version.number for each in older), default=0) + 1
        submission = new.submission(registered.contract, number)
        version = submission.versions[0]
        require_readable(registered.contract.type, version)
        digest = digest_of(version)
        plan = RegistrationPlan(
            registered.rule or found.rule,
            submission,
            await self._library(session, by, version),
            found.lint,
            tuple(in_force(older)),
            next((each for each in older if each.digest == digest), None),
        )
        return registered, plan

    async def admit(self, plan: RegistrationPlan) -> tuple[RegistrationPlan, tuple[Finding, ...]]:
        """The admitted plan, and the findings of lint.

        Raises Invalid if admission fails or lint finds an error.
        """
        inline = await self._context.admission.admit(
            plan.submission, plan.library, closed=plan.closed
        )
        advice = await self.advice(plan)
        errors = [finding for finding in advice if finding.level is Level.ERROR]
        if errors:
            listed = "; ".join(f"{each.message}: {each.advice}" for each in errors[:5])
            raise Invalid(
                f"{plan.submission.contract.type}: lint found {len(errors)} error(s): {listed}",
                pointer=f"/{errors[0].document}{errors[0].pointer}",
            )
        admitted = replace(plan, inline_bytes=inline[plan.version.number])
        await asyncio.to_thread(getattr, admitted, "bundles")
        return admitted, advice

    async def advice(self, plan: RegistrationPlan) -> tuple[Finding, ...]:
        """The findings of lint, by the owner's levels; hostile patterns may take 0.3 s."""
        return await asyncio.to_thread(_advice, plan)

    async def compare(self, plan: RegistrationPlan) -> CompatibilityReport:
        """The comparison with the older versions, under the rule of the contract."""
        bundles = await asyncio.to_thread(getattr, plan, "bundles")
        return await compare_versions(
            self._context.compatibility,
            (bundles.text or plan.version.text, bundles.reply or plan.version.reply),
            bundles_by_number(plan.older),
            plan.rule,
            list(plan.submission.valid.values()),
            plan.submission.contract.owner,
        )

    async def impact(self, contract: Contract) -> Impact:
        """The subscriptions and publishers of a contract."""
        async with self._context.database.session() as session:
            return await impact_of(
                session,
                contract,
                self._context.directory.value,
                self._context.reader,
                self._context.receivers,
            )

    async def _library(self, session: AsyncSession, by: Client, version: Version) -> Library:
        visibility = visibility_of(by, self._context.directory.value)
        documents = (version.document, version.reply_document)
        return await queries.library(session, documents, visibility, self._context.base_url)


def _advice(plan: RegistrationPlan) -> tuple[Finding, ...]:
    version = plan.version
    return tuple(
        lint(
            plan.submission.contract,
            version.document,
            version.reply_document,
            profile=national().raised(plan.levels),
        )
    )
