"""How many messages of a backfill a queue may take now."""

import pytest

from gateway.broker import Broker, NotOnBroker
from gateway.broker.topology import QueueDepth
from gateway.relay import queue_credit
from gateway.relay.queue_credit import PAUSE, QueueCredit

QUEUE = "sub.uji.satu"


class Asked(Broker):
    """A broker with one queue that counts how often it was asked."""

    def __init__(self, ready: int | None) -> None:
        super().__init__("amqp://127.0.0.1:1", name="asked")
        self.ready, self.times = ready, 0

    async def depth(self, queue: str) -> QueueDepth:
        """Report the depth that the test has set."""
        self.times += 1
        if self.ready is None:
            raise NotOnBroker(queue)
        return QueueDepth(self.ready, consumers=0)


class Clock:
    """A clock that moves when the test moves it."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


async def test_the_shards_share_what_is_free() -> None:
    broker = Asked(200)
    found = QueueCredit(broker, low=1000, shards=4)
    assert await found.available(QUEUE) == 200
    broker.ready = 870
    assert await found.available(QUEUE) == 32


async def test_a_full_queue_is_not_asked_for_a_while() -> None:
    clock = Clock()
    broker = Asked(900)  # less than an eighth is free
    found = QueueCredit(broker, low=1000, shards=4, clock=clock)
    assert [await found.available(QUEUE) for _ in range(5)] == [0] * 5
    assert broker.times == 1
    broker.ready = 0
    assert await found.available("sub.uji.dua") == 250
    assert await found.available(QUEUE) == 0
    clock.now += PAUSE
    assert await found.available(QUEUE) == 250


async def test_a_missing_queue_has_no_credit() -> None:
    assert await QueueCredit(Asked(None), low=1000, shards=4).available(QUEUE) == 0


async def test_the_smallest_credit_is_one() -> None:
    assert await QueueCredit(Asked(0), low=2, shards=4).available(QUEUE) == 1


async def test_queues_that_were_full_long_ago_are_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(queue_credit, "REMEMBERED", 3)
    clock = Clock()
    found = QueueCredit(Asked(1000), low=1000, shards=1, clock=clock)
    for number in range(10):
        clock.now += PAUSE
        await found.available(f"{QUEUE}{number}")
        assert len(found._full_until) <= 3
