"""Pauses that grow."""

from gateway.base.backoff import Backoff


def test_pauses_double_up_to_the_last() -> None:
    backoff = Backoff(0.1, 1.0)
    assert [backoff.next() for _ in range(6)] == [0.1, 0.2, 0.4, 0.8, 1.0, 1.0]


def test_a_success_begins_with_the_first_pause_again() -> None:
    backoff = Backoff(0.1, 1.0)
    backoff.next()
    backoff.next()
    backoff.reset()
    assert backoff.next() == 0.1


def test_a_delay_follows_from_the_number_of_attempts() -> None:
    backoff = Backoff(2.0, 300.0)
    assert [backoff.delay(attempt) for attempt in (0, 1, 2, 8, 9, 10_000)] == [
        2.0,
        2.0,
        4.0,
        256.0,
        300.0,
        300.0,
    ]


def test_jitter_spreads_each_way() -> None:
    chances = iter([0.0, 0.5, 1.0])
    backoff = Backoff(10.0, 10.0, jitter=0.2, chance=lambda: next(chances))
    assert [backoff.next() for _ in range(3)] == [8.0, 10.0, 12.0]
