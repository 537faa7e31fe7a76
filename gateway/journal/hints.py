"""A hint that there is something new to read. It may get lost: polling is what is correct.

Sent beside the appends and never inside one: a notification takes a lock that all committing
transactions of the server share, and would hold it for the length of a disk write.
"""

import asyncio
from collections.abc import Awaitable, Callable

import asyncpg

from gateway.base.database import OUTAGES
from gateway.base.stop import Stop
from gateway.journal import sql

INTERVAL = 0.02  # seconds between two hints of a process
Connect = Callable[[], Awaitable[asyncpg.Connection]]


class HintSender:
    """Tells the relays that something was appended, at most fifty times a second."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._due = asyncio.Event()

    def send(self) -> None:
        """Something was appended."""
        self._due.set()

    async def run(self, stop: Stop) -> None:
        """Send what is due until stopped."""
        connection: asyncpg.Connection | None = None
        try:
            while await stop.sleep(INTERVAL):
                await _first(self._due, stop)
                self._due.clear()
                try:
                    if connection is None or connection.is_closed():
                        connection = await self._connect()
                    await connection.execute(sql.HINT, timeout=5)
                except OUTAGES:
                    await stop.sleep(1)
        finally:
            if connection is not None:
                connection.terminate()


class HintListener:
    """Hears the hints of all processes."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._heard = asyncio.Event()

    async def wait(self, seconds: float) -> bool:
        """Wait for a hint, but no longer; True if there was one."""
        try:
            async with asyncio.timeout(seconds):
                await self._heard.wait()
        except TimeoutError:
            return False
        self._heard.clear()
        return True

    async def run(self, stop: Stop) -> None:
        """Listen until stopped, through one connection after another."""
        while not stop:
            try:
                connection = await self._connect()
            except OUTAGES:
                await stop.sleep(1)
                continue
            try:
                await self._listen(connection, stop)
            finally:
                connection.terminate()

    async def _listen(self, connection: asyncpg.Connection, stop: Stop) -> None:
        ended = asyncio.Event()
        connection.add_termination_listener(lambda _: ended.set())
        try:
            await connection.add_listener(sql.HINT_CHANNEL, lambda *_: self._heard.set())
        except OUTAGES:
            return
        await _first(ended, stop)


async def _first(event: asyncio.Event, stop: Stop) -> None:
    """Wait for the event or the stop, whichever comes first."""
    waits = {asyncio.ensure_future(event.wait()), asyncio.ensure_future(stop.wait())}
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in waits:
            each.cancel()
