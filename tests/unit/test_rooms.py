"""How much of the journal a queue may take now."""

import pytest

from gateway.broker import Broker, NotOnBroker
from gateway.broker.topology import Depth
from gateway.relay import queue_credit
from gateway.relay.queue_credit import PAUSE, QueueCredit

QUEUE = "sub.uji.satu"


class Asked(Broker):
    """A broker with one queue; how often it was asked."""

    def __init__(self, ready: int | None) -> None:
        super().__init__("amqp://127.0.0.1:1", name="asked")
        self.ready, self.times = ready, 0

    async def depth(self, queue: str) -> Depth:
        """As it was said."""
        self.times += 1
        if self.ready is None:
            raise NotOnBroker(queue)
        return Depth(self.ready, consumers=0)


class Clock:
    """Seconds that pass when told."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


async def test_the_shards_share_what_is_free() -> None:
    broker = Asked(200)
    found = QueueCredit(broker, low=1000, shards=4)
    assert await found.of(QUEUE) == 200
    broker.ready = 870
    assert await found.of(QUEUE) == 32


async def test_a_full_queue_is_left_alone_for_a_while() -> None:
    clock = Clock()
    broker = Asked(900)  # less than an eighth is free
    found = QueueCredit(broker, low=1000, shards=4, clock=clock)
    assert [await found.of(QUEUE) for _ in range(5)] == [0] * 5
    assert broker.times == 1
    broker.ready = 0
    assert await found.of("sub.uji.dua") == 250
    assert await found.of(QUEUE) == 0
    clock.now += PAUSE
    assert await found.of(QUEUE) == 250


async def test_a_queue_that_is_gone_has_no_room() -> None:
    assert await QueueCredit(Asked(None), low=1000, shards=4).of(QUEUE) == 0


async def test_even_the_smallest_room_lets_one_through() -> None:
    assert await QueueCredit(Asked(0), low=2, shards=4).of(QUEUE) == 1


async def test_who_was_full_long_ago_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_credit, "REMEMBERED", 3)
    clock = Clock()
    found = QueueCredit(Asked(1000), low=1000, shards=1, clock=clock)
    for number in range(10):
        clock.now += PAUSE
        await found.of(f"{QUEUE}{number}")
        assert len(found._full) <= 3
