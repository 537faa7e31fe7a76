"""A waiting receiver is woken by its own events, and many cost the database no more than one."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager
from typing import cast

import asyncpg
import pytest

from gateway.base.stop import Stop
from gateway.delivery import Wakeups, wakeups
from gateway.delivery.recent_types import RecentTypes
from gateway.delivery.store import Deliveries
from gateway.journal import HintListener, JournalReader
from gateway.journal.reader import SPAN
from gateway.subscriptions import Delivery, Subscription
from tests.builders import FREE, a_name, a_subscription, an_event
from tests.memory_deliveries import MemoryDeliveries
from tests.memory_journal import MemoryJournal

OTHER = "id.go.uji.lain.dicatat.v1"
QUESTIONS = ("heads", "due", "cursors")
ENOUGH = 20.0  # seconds until what must come has not come


class Server:
    """A journal and its deliveries as the wake-ups read them."""

    def __init__(self) -> None:
        self.journal = MemoryJournal()
        self.deliveries = MemoryDeliveries()
        self.hints = HintListener(asyncpg.connect)  # it never runs: nobody hints
        self.wakeups = Wakeups(
            cast(JournalReader, self.journal),
            cast(Deliveries, self.deliveries),
            self.hints,
            RecentTypes(),
        )

    @property
    def queries(self) -> Counter[str]:
        return self.journal.queries + self.deliveries.queries

    async def looked(self) -> None:
        """Until every question has been asked and answered once more."""
        before = self.queries
        async with asyncio.timeout(ENOUGH):
            while any(self.queries[each] < before[each] + 2 for each in QUESTIONS):  # noqa: ASYNC110 - nothing tells it
                await asyncio.sleep(0.01)

    def subscribe(self, *types: str) -> Subscription:
        """A subscription that began."""
        subscription = a_subscription(
            organisation="uji", name=a_name(), types=types or (FREE,), delivery=Delivery.PULL
        )
        self.deliveries.cursors[subscription.key] = 0
        return subscription


@asynccontextmanager
async def running(server: Server) -> AsyncIterator[Wakeups]:
    stop = Stop()
    task = asyncio.create_task(server.wakeups.run(stop))
    yield server.wakeups
    stop.set()
    await task


async def woken(wait: Callable[[float], Awaitable[bool]]) -> None:
    """Fails where it slept to the end."""
    async with asyncio.timeout(ENOUGH):
        await wait(ENOUGH * 10)


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DUE", "SOUGHT", "IDLE"):
        monkeypatch.setattr(wakeups, name, 0.01)


async def test_what_comes_wakes_those_who_want_it_and_no_others() -> None:
    server = Server()
    async with running(server) as waking:
        with waking.of(server.subscribe()) as wants, waking.of(server.subscribe(OTHER)) as other:
            await server.looked()
            await asyncio.gather(woken(wants.wait), woken(other.wait))  # seen for the first time
            server.journal.append(an_event())
            await woken(wants.wait)
            assert not other.is_set()
            for _ in range(SPAN + 1):  # too many to read their types
                server.journal.append(an_event())
            await woken(other.wait)


async def test_what_is_due_again_wakes() -> None:
    server = Server()
    subscription = server.subscribe()
    async with running(server) as waking:
        with waking.of(subscription) as waiter:
            server.deliveries.due_now = {subscription.key}
            for _ in range(5):
                await woken(waiter.wait)


async def test_who_is_sent_back_in_the_journal_is_woken() -> None:
    server = Server()
    subscription = server.subscribe()
    server.deliveries.cursors[subscription.key] = 9
    async with running(server) as waking:
        with waking.of(subscription) as waiter:
            await server.looked()
            await woken(waiter.wait)
            server.deliveries.cursors[subscription.key] = 3
            await woken(waiter.wait)


async def test_what_was_waking_before_the_waiting_began_counts() -> None:
    server = Server()
    waking, subscription = server.wakeups, server.subscribe()
    with waking.of(subscription) as waiter:
        waking.wake(subscription.key)
        waking.wake(("uji", "another"))
        await woken(waiter.wait)
        assert not waiter.is_set()


async def test_many_cost_no_more_than_one_and_nobody_costs_nothing() -> None:
    server = Server()
    async with running(server) as waking:
        with ExitStack() as stack:
            waiters = [stack.enter_context(waking.of(server.subscribe())) for _ in range(500)]
            await asyncio.gather(*(woken(each.wait) for each in waiters))
            assert server.queries.total() < len(waiters)
        await asyncio.sleep(0.01)
        before = server.queries.total()
        for _ in range(20):
            await asyncio.sleep(0.01)
        assert server.queries.total() == before


async def test_an_outage_of_the_journal_ends_nothing() -> None:
    server = Server()
    server.journal.unavailable = True
    async with running(server) as waking:
        with waking.of(server.subscribe()) as waiter:
            await woken(waiter.wait)  # when its cursor is seen first
            server.journal.unavailable = False
            await woken(waiter.wait)


async def test_an_outage_of_the_deliveries_ends_nothing() -> None:
    server = Server()
    server.deliveries.unavailable = True
    async with running(server) as waking:
        with waking.of(server.subscribe()) as waiter:
            await woken(waiter.wait)  # when the journal is seen first
            server.deliveries.unavailable = False
            await woken(waiter.wait)


async def test_the_end_wakes_everybody() -> None:
    server = Server()
    with ExitStack() as stack:
        async with running(server) as waking:
            waiter = stack.enter_context(waking.of(server.subscribe()))
            await woken(waiter.wait)
        assert waking.ended
        assert waiter.is_set()
