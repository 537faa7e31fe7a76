"""One step of a replacement, in a process that is killed before a statement.

Arguments: the step, the file of the journal, the file of the effects, the statement (0: none).
"""

import asyncio
import os
import sys
from pathlib import Path

from consumers.events import Event
from consumers.projection import live, switching
from consumers.projection.store import connect
from consumers.projection.switching import compare, drop, switch
from tests.integration.projections.counting import Counting, Doubling
from tests.integration.projections.faults import die_before
from tests.integration.projections.memory_feed import COUNTED, MemoryJournal
from tests.integration.projections.working import effects_to, up_to, working


class Second(Doubling):
    """Version 2, whose effects go to a file."""

    @live(COUNTED)
    async def send(self, event: Event, key: str) -> None:
        effects_to(Path(sys.argv[3]), event, key)


async def main(step: str, journal: MemoryJournal, url: str) -> None:
    """Take the step."""
    switching.HOLD = 0.3
    connection = await connect(url)
    match step:
        case "build":
            async with working(Second(), url, journal):
                await up_to(connection, journal, build=2)
        case "compare":
            comparison = await compare(connection, Counting.name, 2, patience=10)
            assert comparison.different == []
        case "switch":
            await switch(connection, Counting.name, 2, patience=10)
        case "drop":
            await drop(connection, Counting.name, 1)
    await connection.close()


if __name__ == "__main__":
    if int(sys.argv[4]):
        die_before(int(sys.argv[4]))
    loaded = MemoryJournal.load(Path(sys.argv[2]))
    asyncio.run(main(sys.argv[1], loaded, os.environ["SERVICE_URL"]))
