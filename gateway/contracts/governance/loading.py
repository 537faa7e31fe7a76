"""Load a folder of contracts: what the operator does before anybody else can register one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from gateway.base.database import Database
from gateway.base.errors import Incompatible
from gateway.contracts import Submission, admit, library_of, queries, registry, rules
from gateway.contracts.admission import bundles_of
from gateway.contracts.compatibility import Compatibility, Policy, Rule
from gateway.contracts.compiling import Library
from gateway.contracts.governance.comparison import Bundled, Judged, bundled, in_force, judge
from gateway.contracts.governance.report_contract import require_report


@dataclass(frozen=True, slots=True)
class _Judged:
    """A contract with what was found of its new versions, as JSON by number."""

    submission: Submission
    rule: Rule
    verdicts: Mapping[int, bytes]


@dataclass(frozen=True, slots=True)
class Checked:
    """A folder of contracts that may be registered."""

    _library: Library
    _judged: Sequence[_Judged]

    async def store(self, session: AsyncSession) -> int:
        """Register all of them; returns how many are new or changed.

        Run inside `Database.change(Topic.CONTRACTS)`. Raises Conflict for what a number or a type
        stands for already, and Invalid where reports of non-delivery could not be written.
        """
        changed = [
            await registry.register(
                session,
                each.submission,
                library=self._library,
                verdicts=each.verdicts,
                closed=each.rule.policy is Policy.OPTIONAL_FRIENDLY,
            )
            for each in self._judged
        ]
        for each in self._judged:  # once all are there, as one may name another
            await require_report(session, each.submission.contract)
        return sum(changed)


async def check_folder(
    database: Database, submissions: Sequence[Submission], base_url: str
) -> Checked:
    """Judge all contracts of a folder, next to what is registered; nothing is stored.

    Raises Invalid for what is not admitted, and Incompatible for a version that is not proven to
    keep what was promised: there is nobody here who could approve it.
    """
    compatibility = Compatibility()
    try:
        async with database.session() as session:
            library = await library_of(session, submissions, base_url.rstrip("/"))
            judged = [await _judged(session, each, library, compatibility) for each in submissions]
    finally:
        await compatibility.close()
    return Checked(library, judged)


async def _judged(
    session: AsyncSession, submission: Submission, library: Library, compatibility: Compatibility
) -> _Judged:
    """Raises what `check_folder` raises."""
    type = submission.contract.type
    registered = await queries.find(session, type)
    defaults = await rules.defaults(session, submission.contract.owner)
    rule = submission.rule or (registered and registered.rule) or defaults.rule
    admit(submission, library, closed=rule.policy is Policy.OPTIONAL_FRIENDLY)
    older: dict[int, Bundled] = {}
    if registered is not None:
        older = bundled(in_force(await queries.versions(session, type)))
    verdicts = {}
    for version in submission.versions:
        if version.number in (registered.versions if registered else ()):
            continue
        made = bundles_of(version, library)
        new = made.text or version.text, made.reply or version.reply
        found = await judge(compatibility, new, older, rule, list(submission.valid.values()))
        if not found.compatible:
            raise _refused(type, version.number, found)
        verdicts[version.number] = found.document()
        older[version.number] = new
    return _Judged(submission, rule, verdicts)


def _refused(type: str, number: int, found: Judged) -> Incompatible:
    report = found.report()
    said = (
        "would break what" if report["outcome"] == "incompatible" else "is not proven to keep what"
    )
    return Incompatible(
        f"{type} version {number} {said} version {report['against']} promised "
        f"({report['direction']}, {report['policy']}): a folder is loaded as it is approved, so "
        f"register this by `nusabus contracts apply --breaking`, or give the contract its rule by "
        f"/compatibility in contract.json",
        {"compatibility": report},
    )
