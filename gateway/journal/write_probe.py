"""Finds out whether the journal can be written, from the moment an append fails until one works.

A server may answer every query and store nothing: its disk is full, or somebody holds the locks.
The platform sends nothing to a process that is not ready, so no append would tell when it is over.
"""

import asyncio
import os
import uuid
from collections.abc import Awaitable, Callable
from contextlib import suppress

import asyncpg

from gateway.base.database import OUTAGES, outage_text
from gateway.base.errors import JournalUnavailable
from gateway.base.event import Event
from gateway.base.waiting import WakeUp
from gateway.journal import sql
from gateway.journal.append import append_once
from gateway.journal.entry import Candidate

Connect = Callable[[], Awaitable[asyncpg.Connection]]
IDLE = 3600.0  # seconds between two runs while nothing is in doubt; a doubt wakes the probe
BYTES = 1 << 20  # of the event: a disk that has less left is full a moment later


class WriteProbe:
    """Tries an append, and rolls it back: whatever appends stumble over, it stumbles over.

    Run it as periodic work, every `idle` seconds and whenever there are `doubts`.
    """

    idle = IDLE

    def __init__(self, connect: Connect, *, shards: int, timeout: float) -> None:
        self.doubts = WakeUp()
        self._connect = connect
        self._shards = shards
        self._timeout = timeout
        self._in_doubt = False
        self._error: JournalUnavailable | None = None

    def doubt(self) -> None:
        """An append has failed."""
        self._in_doubt = True
        self.doubts.set()

    def require_writable(self) -> None:
        """Raises JournalUnavailable if the last try failed."""
        if self._error is not None:
            raise JournalUnavailable(str(self._error))

    async def run_once(self) -> None:
        """Try it, if there is a doubt. Raises JournalUnavailable."""
        if not self._in_doubt:
            return
        try:
            await self._try()
        except OUTAGES as error:
            known = self._error is not None
            self._error = JournalUnavailable(f"The journal cannot be written. {outage_text(error)}")
            if not known:
                await self._tell_others()
            raise self._error from error
        self._in_doubt, self._error = False, None

    async def _tell_others(self) -> None:
        """Let the processes that nobody publishes to find out too."""
        with suppress(*OUTAGES):
            async with asyncio.timeout(self._timeout):
                connection = await self._connect()
                try:
                    await connection.execute(sql.DOUBT)
                finally:
                    connection.terminate()

    async def _try(self) -> None:
        async with asyncio.timeout(self._timeout):
            connection = await self._connect()
            try:
                await connection.execute("BEGIN")
                await append_once(connection, [_probe()], self._shards)
            finally:
                connection.terminate()  # which rolls back, whatever state it is in


def _probe() -> Candidate:
    """An event of bytes that cannot be compressed. Nobody ever sees it."""
    event = Event(
        str(uuid.uuid4()), "/nusabus/probe", "id.go.nusabus.jurnal.dicoba.v1", None, {},
        os.urandom(BYTES), True,
    )  # fmt: skip
    return Candidate(event, "nusabus", "nusabus", 1)
