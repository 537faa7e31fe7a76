"""Rules for a contract's report type: every non-delivery report must be valid under it."""

from sqlalchemy.ext.asyncio import AsyncSession

from gateway.base.errors import ContractViolation, Invalid
from gateway.contracts import CatalogueVersion, Contract, Pattern, queries
from gateway.contracts.non_delivery import sample_reports

_POINTER = "/non_delivery_report"


async def require_report(session: AsyncSession, contract: Contract) -> None:
    """Raises Invalid if the contract names a type that cannot be its report type.

    Run inside `Database.change(Topic.CONTRACTS)`, so that it holds at the commit.
    """
    report_type = contract.non_delivery_report
    if report_type is None:
        return
    if await queries.is_report_type(session, contract.type):
        raise _invalid(f"{contract.type} is a report type, which cannot have reports itself.")
    found = await queries.find(session, report_type)
    if found is None or found.contract.owner != contract.owner:
        raise _invalid(f"{contract.owner} has no contract {report_type[:255]}. Register it first.")
    if report_type == contract.type or found.contract.non_delivery_report is not None:
        raise _invalid(f"{report_type} has reports itself, so it cannot be a report type.")
    if found.contract.pattern is not Pattern.PUBLISH_SUBSCRIBE:
        raise _invalid(f"{report_type} must be publish-subscribe.")
    active = found.active_version
    stored = None if active is None else await queries.version(session, report_type, active)
    if stored is None:
        raise _invalid(f"No version of {report_type} is active.")
    number = stored.version.number
    require_all_reports_valid(
        CatalogueVersion(report_type, number, stored.state, None, stored.bundle, stored.closed)
    )


async def require_reports_valid(session: AsyncSession, version: CatalogueVersion) -> None:
    """Raises Invalid if a new version of a report type refuses a report."""
    if await queries.is_report_type(session, version.type):
        require_all_reports_valid(version)


def require_all_reports_valid(version: CatalogueVersion) -> None:
    """Raises Invalid unless every possible report is valid under a version."""
    for sample in sample_reports():
        try:
            version.validator.require(sample)
        except ContractViolation as error:
            first = error.violations[0]
            raise _invalid(
                f"Version {version.number} of {version.type} must accept every non-delivery report "
                f"(docs/contracts.md), but refuses one: {first.pointer or '/'}: {first.message}."
            ) from None


def _invalid(message: str) -> Invalid:
    return Invalid(message, pointer=_POINTER)
