"""That a contract's reports of non-delivery can be written, whatever comes."""

from sqlalchemy.ext.asyncio import AsyncSession

from gateway.base.errors import ContractViolation, Invalid
from gateway.contracts import Contract, Pattern, Validator, Versioned, queries
from gateway.contracts.non_delivery import report_samples

_POINTER = "/non_delivery_report"


async def require_report(session: AsyncSession, contract: Contract) -> None:
    """Raises Invalid where the contract names a report type that cannot be one.

    Run inside `Database.change(Topic.CONTRACTS)`, so that it holds at the commit.
    """
    wanted = contract.non_delivery_report
    if wanted is None:
        return
    if await queries.reporting(session, contract.type):
        raise Invalid(
            f"{contract.type} is a report itself, and there is no report about a report",
            pointer=_POINTER,
        )
    found = await queries.find(session, wanted)
    if found is None or found.contract.owner != contract.owner:
        raise Invalid(
            f"{contract.owner} has no contract {wanted[:255]}: register that first",
            pointer=_POINTER,
        )
    if wanted == contract.type or found.contract.non_delivery_report is not None:
        raise Invalid(
            f"{wanted} has reports of its own, and there is no report about a report",
            pointer=_POINTER,
        )
    if found.contract.pattern is not Pattern.PUBLISH_SUBSCRIBE:
        raise Invalid(f"{wanted} must be publish-subscribe", pointer=_POINTER)
    standing = found.newest
    stored = None if standing is None else await queries.version(session, wanted, standing)
    if stored is None:
        raise Invalid(f"no version of {wanted} is active", pointer=_POINTER)
    require_accepted(
        Versioned(wanted, stored.version.number, stored.state, None, stored.bundle, stored.closed)
    )


async def require_kept(session: AsyncSession, version: Versioned) -> None:
    """Raises Invalid where a new version would no longer accept the reports it is there for."""
    if await queries.reporting(session, version.type):
        require_accepted(version)


def require_accepted(version: Versioned) -> None:
    """Raises Invalid unless a version accepts every report that there may be."""
    judge: Validator = version.judge
    for sample in report_samples():
        try:
            judge.require(sample)
        except ContractViolation as error:
            first = error.violations[0]
            raise Invalid(
                f"version {version.number} of {version.type} must accept every report of "
                f"non-delivery (docs/contracts.md), and does not: {first.pointer or '/'}: "
                f"{first.message}",
                pointer=_POINTER,
            ) from None
