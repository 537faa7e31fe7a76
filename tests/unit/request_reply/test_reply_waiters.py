"""Waiting for replies in one process."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime
from typing import cast

import pytest

from gateway.base.event import with_identity
from gateway.base.stop import Stop
from gateway.journal import Entry, JournalReader
from gateway.request_reply import ReplyWaiters, reply_identity
from tests.builders import an_event
from tests.memory_journal import MemoryJournal

REQUEST = b"r" * 16


def an_entry() -> Entry:
    event = an_event()
    return Entry(0, 1, datetime(2026, 5, 4, tzinfo=UTC), event, "client", "uji", 1)


class Shelf(MemoryJournal):
    """A journal that keeps what was looked for."""

    def __init__(self) -> None:
        super().__init__()
        self.looks: list[set[bytes]] = []

    async def find_all(self, identities: Iterable[bytes]) -> dict[bytes, Entry]:
        self.looks.append(set(identities))
        return await super().find_all(self.looks[-1])

    def store_reply(self) -> Entry:
        """Store the reply to REQUEST."""
        return self.append(with_identity(an_event(), reply_identity(REQUEST)))


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
async def waiters(shelf: Shelf) -> AsyncIterator[ReplyWaiters]:
    made, stop = ReplyWaiters(cast(JournalReader, shelf)), Stop()
    task = asyncio.create_task(made.run(stop))
    yield made
    stop.set()
    await task


async def test_a_reply_of_this_process_wakes_at_once(shelf: Shelf, waiters: ReplyWaiters) -> None:
    reply = an_entry()
    with waiters.of(REQUEST) as one, waiters.of(REQUEST) as other:
        assert waiters.deliver(REQUEST, reply)
        assert waiters.deliver(REQUEST, an_entry())
        assert await one.wait(0) is await other.wait(5) is reply
    assert not waiters.deliver(REQUEST, reply)
    assert shelf.looks == []


async def test_an_announcement_by_another_process_makes_us_look(
    shelf: Shelf, waiters: ReplyWaiters
) -> None:
    with waiters.of(REQUEST) as waiter:
        reply = shelf.store_reply()
        waiters.announce(REQUEST)
        waiters.announce(b"o" * 16)
        assert await waiter.wait(5) is reply
    assert shelf.looks[0] == {reply_identity(REQUEST)}


async def test_a_lost_announcement_and_an_outage_delay(shelf: Shelf, waiters: ReplyWaiters) -> None:
    shelf.unavailable = True
    with waiters.of(REQUEST) as waiter:
        waiters.announce(REQUEST)
        assert await waiter.wait(0.05) is None
        reply = shelf.store_reply()
        shelf.unavailable = False
        assert await waiter.wait(5) is reply


async def test_nobody_waits_and_nobody_looks(shelf: Shelf, waiters: ReplyWaiters) -> None:
    with waiters.of(REQUEST) as waiter:
        assert await waiter.wait(0.01) is None
    waiters.announce(REQUEST)
    await asyncio.sleep(0.3)
    assert shelf.looks == []


async def test_the_end_of_the_process_ends_the_waiting(shelf: Shelf) -> None:
    waiters, stop = ReplyWaiters(cast(JournalReader, shelf)), Stop()
    with waiters.of(REQUEST) as waiter:
        running = asyncio.create_task(waiters.run(stop))
        stop.set()
        assert await waiter.wait(20) is None
        await running
        with waiters.of(REQUEST) as late:
            assert await late.wait(20) is None
