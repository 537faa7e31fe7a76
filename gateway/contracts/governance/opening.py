"""What governing works with, and the processes beside it, which end with it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.base.database import Database
from gateway.base.snapshot import Snapshot
from gateway.contracts import Proving
from gateway.contracts.compatibility import Compatibility
from gateway.contracts.governance.impact import Receivers
from gateway.contracts.governance.planning import Dependencies
from gateway.identity import Directory
from gateway.journal import JournalReader


@asynccontextmanager
async def opened(
    database: Database,
    directory: Snapshot[Directory],
    reader: JournalReader,
    base_url: str,
    receivers: Receivers,
) -> AsyncIterator[Dependencies]:
    """Open it; nothing starts before it is needed."""
    compatibility, proving = Compatibility(), Proving()
    try:
        yield Dependencies(
            database,
            directory,
            reader,
            compatibility,
            proving,
            base_url.rstrip("/"),
            receivers,
        )
    finally:
        await proving.close()
        await compatibility.close()
