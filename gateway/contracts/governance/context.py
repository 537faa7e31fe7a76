"""The dependencies of governance, with the child processes that check and compare schemas."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from gateway.base.database import Database
from gateway.base.snapshot import Snapshot
from gateway.contracts import AdmissionChecker
from gateway.contracts.compatibility import CompatibilityChecker
from gateway.contracts.cost import DEFAULT, Budget
from gateway.contracts.governance.impact import Receivers
from gateway.identity import Directory
from gateway.journal import JournalReader


@dataclass(frozen=True, slots=True)
class GovernanceContext:
    """The dependencies of the registration and the lifecycle of contracts."""

    database: Database
    directory: Snapshot[Directory]
    reader: JournalReader
    compatibility: CompatibilityChecker
    admission: AdmissionChecker
    base_url: str
    receivers: Receivers


@asynccontextmanager
async def governance_context(
    database: Database,
    directory: Snapshot[Directory],
    reader: JournalReader,
    base_url: str,
    receivers: Receivers,
    budget: Budget = DEFAULT,
) -> AsyncIterator[GovernanceContext]:
    """The context. Its child processes start when first needed, and stop at the end."""
    compatibility, admission = CompatibilityChecker(), AdmissionChecker(budget=budget)
    try:
        yield GovernanceContext(
            database,
            directory,
            reader,
            compatibility,
            admission,
            base_url.rstrip("/"),
            receivers,
        )
    finally:
        await admission.close()
        await compatibility.close()
