"""Loading a folder of contracts: how the operator registers the first ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from gateway.base.database import Database
from gateway.base.errors import Incompatible
from gateway.contracts import Submission, Visibility, admit, defaults, queries, registry
from gateway.contracts.admission import bundles_of, require_readable
from gateway.contracts.compatibility import CompatibilityChecker, CompatibilityPolicy, Rule
from gateway.contracts.compilation import Library
from gateway.contracts.cost import DEFAULT, Budget
from gateway.contracts.governance.comparison import (
    Bundles,
    CompatibilityReport,
    bundles_by_number,
    compare_versions,
    in_force,
)
from gateway.contracts.governance.report_contract import require_report


@dataclass(frozen=True, slots=True)
class _CheckedContract:
    """A contract with the compatibility reports of its new versions, as JSON by number."""

    submission: Submission
    rule: Rule
    reports: Mapping[int, bytes]
    inline: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class CheckedFolder:
    """A folder of contracts that may be registered."""

    _library: Library
    _contracts: Sequence[_CheckedContract]

    async def store(self, session: AsyncSession) -> int:
        """Register all of them; returns how many are new or changed.

        Run inside `Database.change(Topic.CONTRACTS)`. Raises Conflict if a version or type is
        registered otherwise, and Invalid if non-delivery reports could not be published.
        """
        changed = [
            await registry.register(
                session,
                each.submission,
                library=self._library,
                reports=each.reports,
                closed=each.rule.policy is CompatibilityPolicy.OPTIONAL_FRIENDLY,
                inline=each.inline,
            )
            for each in self._contracts
        ]
        for each in self._contracts:  # after all are registered, as one may name another
            await require_report(session, each.submission.contract)
        return sum(changed)


async def check_folder(
    database: Database,
    submissions: Sequence[Submission],
    base_url: str,
    budget: Budget = DEFAULT,
) -> CheckedFolder:
    """Check all contracts of a folder against the registry; nothing is stored.

    Raises Invalid for a contract that is not admitted, and Incompatible for a version that is not
    proven compatible, because nobody could approve it here.
    """
    checker = CompatibilityChecker()
    try:
        async with database.session() as session:
            library = await _library(session, submissions, base_url.rstrip("/"))
            contracts = [
                await _check(session, each, library, checker, budget) for each in submissions
            ]
    finally:
        await checker.close()
    return CheckedFolder(library, contracts)


async def _library(
    session: AsyncSession, submissions: Sequence[Submission], base_url: str
) -> Library:
    """All schemas that these contracts refer to; they may be in the folder themselves.

    Raises Invalid if one cannot be read or found.
    """
    versions = {
        (each.contract.type, version.number): version
        for each in submissions
        for version in each.versions
    }
    for (type, number), version in versions.items():
        require_readable(f"{type} version {number}", version)
    return await queries.library(
        session,
        [each for v in versions.values() for each in (v.document, v.reply_document)],
        Visibility(everything=True),
        base_url,
        {id: version.text for id, version in versions.items()},
    )


async def _check(
    session: AsyncSession,
    submission: Submission,
    library: Library,
    checker: CompatibilityChecker,
    budget: Budget,
) -> _CheckedContract:
    """Raises what `check_folder` raises."""
    type = submission.contract.type
    registered = await queries.find(session, type)
    found = await defaults.defaults_of(session, submission.contract.owner)
    rule = submission.rule or (registered and registered.rule) or found.rule
    closed = rule.policy is CompatibilityPolicy.OPTIONAL_FRIENDLY
    inline = admit(submission, library, closed, budget)
    older: dict[int, Bundles] = {}
    if registered is not None:
        older = bundles_by_number(in_force(await queries.versions(session, type)))
    reports = {}
    for version in submission.versions:
        if version.number in (registered.versions if registered else ()):
            continue
        made = bundles_of(version, library)
        new = made.text or version.text, made.reply or version.reply
        report = await compare_versions(checker, new, older, rule, list(submission.valid.values()))
        if not report.compatible:
            raise _incompatible(type, version.number, report)
        reports[version.number] = report.document()
        older[version.number] = new
    return _CheckedContract(submission, rule, reports, inline)


def _incompatible(type: str, number: int, report: CompatibilityReport) -> Incompatible:
    found = report.as_json()
    proven = found["outcome"] == "incompatible"
    is_not = "is not compatible" if proven else "is not proven to be compatible"
    return Incompatible(
        f"{type} version {number} {is_not} with version {found['against']} "
        f"({found['direction']}, {found['policy']}). Loading a folder cannot wait for approval: "
        f"register this version with `nusabus contracts apply --breaking`, or set `compatibility` "
        f"in contract.json.",
        {"compatibility": found},
    )
