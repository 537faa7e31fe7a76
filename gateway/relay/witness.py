"""What the broker knows of the journal: the one memory that outlives all processes.

After a restore in place with every process stopped, the journal looks like one that has never gone
further. So the leader notes at the broker how far it has come, and each process compares that with
the journal before it enters it.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from gateway.base.database import database_errors
from gateway.base.errors import BrokerUnavailable
from gateway.base.telemetry import log
from gateway.broker import Management
from gateway.journal import Incarnation, JournalReader, Newest

START = 3.0  # seconds for which a process that starts waits for the broker
Connect = Callable[[], Awaitable[asyncpg.Connection]]


@dataclass(frozen=True, slots=True)
class Witness:
    """An incarnation, and the sequence and time of the newest entry of each shard."""

    incarnation: str
    entries: Newest

    def text(self) -> str:
        """As it is noted at the broker."""
        entries = {shard: [n, time.isoformat()] for shard, (n, time) in self.entries.items()}
        return json.dumps({"incarnation": self.incarnation, "entries": entries})

    @classmethod
    def parse(cls, text: str) -> "Witness | None":
        """The witness in a text, None where it is none."""
        try:
            found = json.loads(text)
            entries = {
                int(shard): (int(sequence), datetime.fromisoformat(time))
                for shard, (sequence, time) in found["entries"].items()
            }
            return cls(str(found["incarnation"]), entries)
        except (ValueError, TypeError, KeyError, AttributeError):
            log().warning("journal.witness_unreadable")
            return None


async def compare_with_witness(management: Management, connect: Connect) -> None:
    """Let the journal begin a new incarnation if the broker knows more of it than it holds.

    `connect` opens a connection that has not entered the journal. Raises BrokerUnavailable, and
    Unavailable when the database is away.
    """
    text = await management.noted()
    witness = Witness.parse(text) if text is not None else None
    if witness is None:
        return
    with database_errors():
        connection = await connect()
        try:
            await Incarnation(witness.incarnation, witness.entries).compare(connection)
        finally:
            await connection.close()


class WitnessKeeper:
    """Notes at the broker how far the journal has come. Run it on the leader, every second."""

    def __init__(self, management: Management, reader: JournalReader, connect: Connect) -> None:
        self._management = management
        self._reader = reader
        self._connect = connect
        self._noted: str | None = None

    async def run_once(self) -> None:
        """Note it, if it has changed. Raises Unavailable.

        What is there is compared first: it may not have been while the broker was away.
        """
        if self._noted is None:
            await compare_with_witness(self._management, self._connect)
        await self._reader.heads()
        incarnation = self._reader.incarnation
        text = Witness(incarnation.id or "", incarnation.known).text()
        if text != self._noted:
            await self._management.note(text)
            self._noted = text


async def compare_at_start(management: Management, connect: Connect) -> None:
    """The same for a process that starts; it starts without the broker as well."""
    try:
        async with asyncio.timeout(START):
            await compare_with_witness(management, connect)
    except (BrokerUnavailable, TimeoutError) as error:
        log().warning("journal.witness_unread", reason=str(error))
