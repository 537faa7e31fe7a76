"""Waiting for replies in one process."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime
from typing import cast

import pytest

from gateway.base.errors import JournalUnavailable
from gateway.base.stop import Stop
from gateway.journal import Entry, JournalReader
from gateway.request_reply import ReplyWaiters, reply_identity
from tests.builders import an_event

REQUEST = b"r" * 16


def an_entry() -> Entry:
    event = an_event()
    return Entry(0, 1, datetime(2026, 5, 4, tzinfo=UTC), event, event.digest, "client", 1)


class Shelf:
    """A journal that holds what it is given, and is away when told so."""

    def __init__(self) -> None:
        self.held: dict[bytes, Entry] = {}
        self.looks: list[set[bytes]] = []
        self.away = False

    async def find_all(self, identities: Iterable[bytes]) -> dict[bytes, Entry]:
        wanted = set(identities)
        self.looks.append(wanted)
        if self.away:
            raise JournalUnavailable("away")
        return {each: self.held[each] for each in wanted if each in self.held}


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
    reply = an_entry()
    with waiters.of(REQUEST) as waiter:
        shelf.held[reply_identity(REQUEST)] = reply
        waiters.announce(REQUEST)
        waiters.announce(b"o" * 16)
        assert await waiter.wait(5) is reply
    assert shelf.looks[0] == {reply_identity(REQUEST)}


async def test_a_lost_announcement_and_an_outage_delay(shelf: Shelf, waiters: ReplyWaiters) -> None:
    reply = an_entry()
    shelf.away = True
    with waiters.of(REQUEST) as waiter:
        waiters.announce(REQUEST)
        assert await waiter.wait(0.05) is None
        shelf.held[reply_identity(REQUEST)] = reply
        shelf.away = False
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
