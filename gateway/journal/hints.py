"""Hints that there are new entries to read. A hint may get lost; polling is what is correct.

A hint is sent beside the appends and never inside one: a notification takes a lock that all
committing transactions of the server share, and would hold it for the length of a disk write.
"""

import asyncio
from collections.abc import Awaitable, Callable

import asyncpg

from gateway.base.database import DatabaseUnavailable, database_errors
from gateway.base.periodic import periodic, reconnecting
from gateway.base.stop import Stop
from gateway.base.waiting import WakeUp, wait_for_any
from gateway.journal import sql

INTERVAL = 0.02  # seconds between two hints of a process
Connect = Callable[[], Awaitable[asyncpg.Connection]]


class HintSender:
    """Hints to all processes that something was appended, at most fifty times a second."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._connection: asyncpg.Connection | None = None
        self._due = asyncio.Event()

    def send(self) -> None:
        """Send a hint soon: something was appended."""
        self._due.set()

    async def run(self, stop: Stop) -> None:
        """Send hints that are due until stopped."""

        async def send_when_due() -> None:
            await wait_for_any(self._due.wait, stop.wait)
            if self._due.is_set():
                await self._send()

        try:
            await periodic("journal.hints", send_when_due, INTERVAL, stop)
        finally:
            if self._connection is not None:
                self._connection.terminate()

    async def _send(self) -> None:
        self._due.clear()
        try:
            with database_errors():
                if self._connection is None or self._connection.is_closed():
                    self._connection = await self._connect()
                await self._connection.execute(sql.HINT, timeout=5)
        except DatabaseUnavailable:
            self._due.set()
            raise


class HintListener:
    """Receives the hints of all processes. `wake_up` is set by each of them.

    `on_doubt` is called when a process found that the journal cannot be written.
    """

    def __init__(self, connect: Connect, on_doubt: Callable[[], None] = lambda: None) -> None:
        self._connect = connect
        self._on_doubt = on_doubt
        self.wake_up = WakeUp()

    async def run(self, stop: Stop) -> None:
        """Listen until stopped, on one connection after another."""

        async def session(connected: Callable[[], None]) -> None:
            await self._listen(connected, stop)

        await reconnecting("journal.hint_listener", session, stop)

    async def _listen(self, connected: Callable[[], None], stop: Stop) -> None:
        with database_errors():
            connection = await self._connect()
        ended = asyncio.Event()
        try:
            connection.add_termination_listener(lambda _: ended.set())
            with database_errors():
                await connection.add_listener(sql.HINT_CHANNEL, lambda *_: self.wake_up.set())
                await connection.add_listener(sql.DOUBT_CHANNEL, lambda *_: self._on_doubt())
            connected()
            await wait_for_any(ended.wait, stop.wait)
        finally:
            connection.terminate()
        if not stop:
            raise DatabaseUnavailable("The connection that listens for hints was lost.")
