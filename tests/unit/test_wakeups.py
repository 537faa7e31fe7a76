"""A waiting receiver is woken by its own events, and many cost the database no more than one."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import ExitStack, asynccontextmanager
from datetime import UTC, datetime

import pytest

from gateway.base.stop import Stop
from gateway.base.waiting import WakeUp
from gateway.delivery import Wakeups, wakeups
from gateway.journal.reader import SPAN
from gateway.subscriptions import Delivery, Subscription, SubscriptionState
from tests.builders import FREE, a_name, an_event
from tests.memory_journal import MemoryJournal

OTHER = "id.go.uji.lain.dicatat.v1"
THEN = datetime(2026, 5, 4, tzinfo=UTC)
QUESTIONS = ("heads", "due", "cursors")
ENOUGH = 20.0  # seconds until what must come has not come


class Server(MemoryJournal):
    """A journal and its deliveries as the wake-ups read them, with the queries counted."""

    def __init__(self, *, unavailable: bool = False) -> None:
        super().__init__(unavailable=unavailable)
        self.due_now: set[tuple[str, str]] = set()
        self.cursors: dict[tuple[str, str], int] = {}
        self.wake_up = WakeUp()

    async def due(self, keys: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
        self.queries["due"] += 1
        return self.due_now & set(keys)

    async def summed_cursors(self, keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], int]:
        self.queries["cursors"] += 1
        return {key: self.cursors.get(key, 0) for key in keys}

    async def wait(self, seconds: float) -> None:
        await asyncio.sleep(min(seconds, 0.01))

    async def looked(self) -> None:
        """Until every question has been asked and answered once more."""
        before = self.queries.copy()
        async with asyncio.timeout(ENOUGH):
            while any(self.queries[each] < before[each] + 2 for each in QUESTIONS):
                await self.wait(1)


def a_subscription(*types: str) -> Subscription:
    return Subscription(
        "uji", a_name(), types or (FREE,), False, False, "now", SubscriptionState.ACTIVE, 1, "",
        THEN, "x",
        delivery=Delivery.PULL,
    )  # fmt: skip


@asynccontextmanager
async def running(server: Server) -> AsyncIterator[Wakeups]:
    waking, stop = Wakeups(server, server, server), Stop()  # type: ignore[arg-type]  # it answers as all
    task = asyncio.create_task(waking.run(stop))
    yield waking
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
        with waking.of(a_subscription()) as wants, waking.of(a_subscription(OTHER)) as other:
            await server.looked()
            await asyncio.gather(woken(wants.wait), woken(other.wait))  # seen for the first time
            server.append(an_event())
            await woken(wants.wait)
            assert not other.is_set()
            for _ in range(SPAN + 1):  # too many to read their types
                server.append(an_event())
            await woken(other.wait)


async def test_what_is_due_again_wakes() -> None:
    server, subscription = Server(), a_subscription()
    async with running(server) as waking:
        with waking.of(subscription) as waiter:
            server.due_now = {subscription.key}
            for _ in range(5):
                await woken(waiter.wait)


async def test_who_is_sent_back_in_the_journal_is_woken() -> None:
    server, subscription = Server(), a_subscription()
    server.cursors[subscription.key] = 9
    async with running(server) as waking:
        with waking.of(subscription) as waiter:
            await server.looked()
            await woken(waiter.wait)
            server.cursors[subscription.key] = 3
            await woken(waiter.wait)


async def test_what_was_waking_before_the_waiting_began_counts() -> None:
    waking, subscription = Wakeups(Server(), Server(), Server()), a_subscription()  # type: ignore[arg-type]  # it answers as all
    with waking.of(subscription) as waiter:
        waking.wake(subscription.key)
        waking.wake(("uji", "another"))
        await woken(waiter.wait)
        assert not waiter.is_set()


async def test_many_cost_no_more_than_one_and_nobody_costs_nothing() -> None:
    server = Server()
    async with running(server) as waking:
        with ExitStack() as stack:
            waiters = [stack.enter_context(waking.of(a_subscription())) for _ in range(500)]
            await asyncio.gather(*(woken(each.wait) for each in waiters))
            assert server.queries.total() < len(waiters)
        await server.wait(1)
        before = server.queries.total()
        for _ in range(20):
            await server.wait(1)
        assert server.queries.total() == before


async def test_an_outage_ends_nothing() -> None:
    server = Server(unavailable=True)
    async with running(server) as waking:
        with waking.of(a_subscription()) as waiter:
            await woken(waiter.wait)  # when its cursor is seen first
            server.unavailable = False
            await woken(waiter.wait)


async def test_the_end_wakes_everybody() -> None:
    with ExitStack() as stack:
        async with running(Server()) as waking:
            waiter = stack.enter_context(waking.of(a_subscription()))
            await woken(waiter.wait)
        assert waking.ended
        assert waiter.is_set()
