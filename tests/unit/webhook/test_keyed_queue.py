"""Who may go next, and up to where everything is settled."""

from datetime import UTC, datetime

from gateway.delivery.store import Claim
from gateway.delivery.webhook.keyed_queue import KeyedQueue, PendingDelivery, ShardTracker
from gateway.journal import Cursor, Entry, Position
from tests.builders import an_event

THEN = datetime(2026, 5, 4, tzinfo=UTC)


def a_delivery(sequence: int, order: str = "", *, open: bool = False) -> PendingDelivery:
    claim = Claim(Position(0, sequence), b"") if open else None
    return PendingDelivery(an_entry(sequence), 1, order, THEN, claim)


def an_entry(sequence: int) -> Entry:
    return Entry(0, sequence, THEN, an_event(), "uji-client", "uji", 1)


def taken(queue: KeyedQueue) -> list[PendingDelivery]:
    jobs = []
    while (delivery := queue.take()) is not None:
        jobs.append(delivery)
    return jobs


def test_without_order_all_go_at_once() -> None:
    queue, jobs = KeyedQueue(), [a_delivery(n) for n in range(3)]
    for delivery in jobs:
        queue.put(delivery)
    assert len(queue) == queue.ready == 3
    assert taken(queue) == jobs
    assert not queue


def test_of_one_key_one_at_a_time_and_in_order() -> None:
    queue = KeyedQueue()
    first, second, third, other = (
        a_delivery(1, "a"),
        a_delivery(2, "a"),
        a_delivery(3, "a"),
        a_delivery(4, "b"),
    )
    for delivery in (first, second, third, other):
        queue.put(delivery)
    assert taken(queue) == [first, other]
    assert len(queue) == 2
    queue.done(first)
    assert taken(queue) == [second]
    queue.done(other)
    assert taken(queue) == []
    queue.done(second)
    assert taken(queue) == [third]
    queue.done(third)
    queue.put(first)
    assert taken(queue) == [first]


def test_what_waits_behind_a_failure_is_withdrawn_but_for_what_was_open() -> None:
    queue = KeyedQueue()
    first, fresh, open = a_delivery(2, "a"), a_delivery(3, "a"), a_delivery(1, "a", open=True)
    for delivery in (first, fresh, open):
        queue.put(delivery)
    assert taken(queue) == [first]
    assert queue.withdraw("a") == [fresh]
    assert queue.withdraw("") == queue.withdraw("b") == []
    queue.done(first)
    assert taken(queue) == [open]
    assert not queue


def cursor_at(sequence: int) -> Cursor:
    return Cursor(sequence, THEN)


def test_the_cursor_stops_at_the_first_that_has_not_ended() -> None:
    tracker = ShardTracker(cursor_at(0))
    for sequence in (2, 5, 7):
        tracker.begin(an_entry(sequence))
    tracker.scanned = cursor_at(9)
    assert tracker.complete_up_to() == cursor_at(0)
    tracker.end(5, delivered=True)
    assert tracker.complete_up_to() == cursor_at(0)
    tracker.end(2, delivered=False)
    assert tracker.complete_up_to() == cursor_at(5)
    assert tracker.delivered_up_to(cursor_at(5)) == [5]
    tracker.advance(cursor_at(5))
    assert tracker.complete_up_to() == cursor_at(5)
    tracker.end(7, delivered=True)
    assert tracker.complete_up_to() == cursor_at(9)
    assert tracker.delivered_up_to(cursor_at(9)) == [7]
    tracker.advance(cursor_at(9))
    assert not tracker.has_ended
    assert tracker.scanned == tracker.stored
