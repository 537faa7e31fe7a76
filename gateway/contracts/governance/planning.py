"""Checking a version before anything is stored: what it needs, what it says, whom it would hit."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from gateway.base import strict_json
from gateway.base.database import Database
from gateway.base.errors import Invalid
from gateway.base.snapshot import Snapshot
from gateway.contracts import (
    Contract,
    InvalidExample,
    Proving,
    Registered,
    State,
    StoredVersion,
    Submission,
    Version,
    Versioned,
    queries,
    rules,
)
from gateway.contracts.admission import bundles_of, require_readable
from gateway.contracts.compatibility import Compatibility, Policy, Rule
from gateway.contracts.compiling import Library
from gateway.contracts.content import digest_of
from gateway.contracts.governance.comparison import Judged, bundled, in_force, judge
from gateway.contracts.governance.impact import Impact, Receivers, impact_of
from gateway.contracts.governance.permissions import sight_of, visible
from gateway.contracts.lint import Finding, Level, lint, national
from gateway.identity import Client, Directory, policy
from gateway.journal import JournalReader


@dataclass(frozen=True, slots=True)
class Dependencies:
    """What governing works with."""

    database: Database
    directory: Snapshot[Directory]
    reader: JournalReader
    compatibility: Compatibility
    proving: Proving
    base_url: str
    receivers: Receivers


@dataclass(frozen=True, slots=True)
class NewSchema:
    """A version to be: the schemas as they were written, and examples of data.

    `breaking` says that it is meant to break what was promised, and may wait for approval.
    """

    text: bytes
    reply: bytes | None = None
    valid: Mapping[str, Any] = field(default_factory=dict)
    invalid: tuple[InvalidExample, ...] = ()
    valid_replies: Mapping[str, Any] = field(default_factory=dict)
    invalid_replies: tuple[InvalidExample, ...] = ()
    breaking: bool = False

    @property
    def texts(self) -> tuple[bytes, ...]:
        """Its schemas."""
        return (self.text,) if self.reply is None else (self.text, self.reply)

    def submission(self, contract: Contract, number: int) -> Submission:
        """As it is admitted."""
        return Submission(
            contract,
            (Version(number, self.text, self.reply),),
            self.valid,
            self.invalid,
            self.valid_replies,
            self.invalid_replies,
        )


@dataclass(frozen=True, slots=True)
class Plan:
    """A version next to what was registered when it was looked at.

    `older` are the versions that it owes something to, `existing` is the one that has the very
    same schema, `levels` of lint are those that its owner raised.
    """

    rule: Rule
    submission: Submission
    library: Library
    levels: Mapping[str, str]
    older: tuple[StoredVersion, ...] = ()
    existing: StoredVersion | None = None

    @property
    def version(self) -> Version:
        """The new version."""
        return self.submission.versions[0]

    @property
    def versioned(self) -> Versioned:
        """The new version as intake will know it, once it is active."""
        text = bundles_of(self.version, self.library).text or self.version.text
        type, number = self.submission.contract.type, self.version.number
        return Versioned(type, number, State.ACTIVE, None, text, self.closed)

    @property
    def closed(self) -> bool:
        """Whether publishers will be held to its closed form."""
        return self.rule.policy is Policy.OPTIONAL_FRIENDLY


class Planning:
    """Makes plans, and checks them. Nothing here writes."""

    def __init__(self, use: Dependencies) -> None:
        self._use = use

    async def first(
        self,
        session: AsyncSession,
        by: Client,
        contract: Contract,
        rule: Rule | None,
        new: NewSchema,
    ) -> Plan:
        """For a contract that is not registered yet. Raises Invalid for what cannot be read."""
        _require_readable(contract, new)
        defaults = await rules.defaults(session, contract.owner)
        return Plan(
            rule or defaults.rule,
            new.submission(contract, 1),
            await self._library(session, by, new),
            defaults.lint,
        )

    async def next(
        self, session: AsyncSession, by: Client, type: str, new: NewSchema
    ) -> tuple[Registered, Plan]:
        """For one that is. Raises NotFound, Forbidden, Invalid."""
        # One picture: the revision that is compared at the end belongs to the versions judged here.
        await session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        sight = sight_of(by, self._use.directory.value)
        registered = await visible(session, type, sight)
        policy.require_administrator_of(by, registered.contract.owner)
        _require_readable(registered.contract, new)
        defaults = await rules.defaults(session, registered.contract.owner)
        older = await queries.versions(session, type)
        number = max((each.version.number for each in older), default=0) + 1
        submission = new.submission(registered.contract, number)
        digest = digest_of(submission.versions[0])
        plan = Plan(
            registered.rule or defaults.rule,
            submission,
            await self._library(session, by, new),
            defaults.lint,
            tuple(in_force(older)),
            next((each for each in older if each.digest == digest), None),
        )
        return registered, plan

    async def admit(self, plan: Plan) -> tuple[Finding, ...]:
        """What lint has to say. Raises Invalid for what is not admitted, or is an error to lint."""
        await self._use.proving.admit(plan.submission, plan.library, closed=plan.closed)
        advice = await self.advice(plan)
        errors = [finding for finding in advice if finding.level is Level.ERROR]
        if errors:
            told = "; ".join(f"{each.message}: {each.advice}" for each in errors[:5])
            raise Invalid(
                f"{plan.submission.contract.type}: lint finds {len(errors)} error(s): {told}",
                pointer=f"/{errors[0].document}{errors[0].pointer}",
            )
        return advice

    async def advice(self, plan: Plan) -> tuple[Finding, ...]:
        """What lint says, by the owner's levels; hostile patterns hold it up for 0.3 s."""
        return await asyncio.to_thread(_advice, plan)

    async def judge(self, plan: Plan) -> Judged:
        """Whether it keeps what was promised."""
        bundles = bundles_of(plan.version, plan.library)
        return await judge(
            self._use.compatibility,
            (bundles.text or plan.version.text, bundles.reply or plan.version.reply),
            bundled(plan.older),
            plan.rule,
            list(plan.submission.valid.values()),
        )

    async def impact(self, contract: Contract) -> Impact:
        """Whom a change of a contract hits."""
        async with self._use.database.session() as session:
            return await impact_of(
                session,
                contract,
                self._use.directory.value,
                self._use.reader,
                self._use.receivers,
            )

    async def _library(self, session: AsyncSession, by: Client, new: NewSchema) -> Library:
        sight = sight_of(by, self._use.directory.value)
        return await queries.library(session, new.texts, sight, self._use.base_url)


def _advice(plan: Plan) -> tuple[Finding, ...]:
    version = plan.version
    return tuple(
        lint(
            plan.submission.contract,
            strict_json.parse(version.text),
            None if version.reply is None else strict_json.parse(version.reply),
            profile=national().raised(plan.levels),
        )
    )


def _require_readable(contract: Contract, new: NewSchema) -> None:
    for text in new.texts:
        require_readable(contract.type, text)
