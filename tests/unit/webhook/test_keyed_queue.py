"""Who may go next, and up to where everything is settled."""

from datetime import UTC, datetime

from gateway.delivery.store import Claim
from gateway.delivery.webhook.keyed_queue import KeyedQueue, PendingDelivery, ShardTracker
from gateway.journal import Cursor, Entry, Position
from tests.builders import an_event

THEN = datetime(2026, 5, 4, tzinfo=UTC)


def a_job(sequence: int, order: str = "", *, open: bool = False) -> PendingDelivery:
    claim = Claim(Position(0, sequence), b"") if open else None
    return PendingDelivery(an_entry(sequence), 1, order, THEN, claim)


def an_entry(sequence: int) -> Entry:
    return Entry(0, sequence, THEN, an_event(), b"", "uji-client", 1)


def taken(lanes: KeyedQueue) -> list[PendingDelivery]:
    jobs = []
    while (job := lanes.take()) is not None:
        jobs.append(job)
    return jobs


def test_without_order_all_go_at_once() -> None:
    lanes, jobs = KeyedQueue(), [a_job(n) for n in range(3)]
    for job in jobs:
        lanes.put(job)
    assert len(lanes) == lanes.ready == 3
    assert taken(lanes) == jobs
    assert not lanes


def test_of_one_key_one_at_a_time_and_in_order() -> None:
    lanes = KeyedQueue()
    first, second, third, other = a_job(1, "a"), a_job(2, "a"), a_job(3, "a"), a_job(4, "b")
    for job in (first, second, third, other):
        lanes.put(job)
    assert taken(lanes) == [first, other]
    assert len(lanes) == 2
    lanes.done(first)
    assert taken(lanes) == [second]
    lanes.done(other)
    assert taken(lanes) == []
    lanes.done(second)
    assert taken(lanes) == [third]
    lanes.done(third)
    lanes.put(first)
    assert taken(lanes) == [first]


def test_what_waits_behind_a_failure_is_withdrawn_but_for_what_was_open() -> None:
    lanes = KeyedQueue()
    first, fresh, open = a_job(2, "a"), a_job(3, "a"), a_job(1, "a", open=True)
    for job in (first, fresh, open):
        lanes.put(job)
    assert taken(lanes) == [first]
    assert lanes.withdraw("a") == [fresh]
    assert lanes.withdraw("") == lanes.withdraw("b") == []
    lanes.done(first)
    assert taken(lanes) == [open]
    assert not lanes


def place(sequence: int) -> Cursor:
    return Cursor(sequence, THEN)


def test_the_frontier_stops_at_the_first_that_has_not_ended() -> None:
    track = ShardTracker(place(0))
    for sequence in (2, 5, 7):
        track.began(an_entry(sequence))
    track.looked = place(9)
    assert track.reached() == place(0)
    track.ended(5, delivered=True)
    assert track.reached() == place(0)
    track.ended(2, delivered=False)
    assert track.reached() == place(5)
    assert track.delivered_to(place(5)) == [5]
    track.wrote(place(5))
    assert track.reached() == place(5)
    track.ended(7, delivered=True)
    assert track.reached() == place(9)
    assert track.delivered_to(place(9)) == [7]
    track.wrote(place(9))
    assert not track.unwritten
    assert track.looked == track.written
