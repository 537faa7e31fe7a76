"""When it is tried again, and when an endpoint is spared."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.delivery.webhook.retry_schedule import CircuitBreaker, RetrySchedule, retry_after

NOW = datetime(2026, 5, 4, 10, 0, tzinfo=UTC)


class Clock:
    """A clock that stands still."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_the_schedule_goes_from_seconds_to_a_day() -> None:
    schedule = RetrySchedule.parse("5,30,86400")
    middle = RetrySchedule((5, 30, 86_400), chance=lambda: 0.5)
    assert [middle.delay(n, None) for n in (1, 2, 3, 4)] == [5, 30, 86_400, 86_400]
    assert all(4 <= schedule.delay(1, None) <= 6 for _ in range(100))
    assert schedule.delay(3, None) <= 86_400


def test_what_the_receiver_asks_for_makes_it_later_but_never_sooner() -> None:
    schedule = RetrySchedule((60,), chance=lambda: 0.5)
    assert schedule.delay(1, 300) == 300
    assert schedule.delay(1, 5) == 60
    assert schedule.delay(1, 1e9) == 86_400


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("120", 120),
        (" 0 ", 0),
        ("99999999999999999999", 86_400),
        ("Mon, 04 May 2026 10:00:30 GMT", 30),
        ("Mon, 04 May 2026 09:00:00 GMT", 0),
        ("Mon, 04 May 2099 10:00:00 GMT", 86_400),
        ("Monday, 04-May-26 10:00:30 GMT", 30),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 0),
        ("Monday, 04-May-77 10:00:00 GMT", 0),
        ("Mon May  4 10:00:30 2026", 30),
        ("Mon May 04 10:01:00 2026", 60),
        ("Mon, 04 May 2026 10:00:60 GMT", 60),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 86_400),
        ("Fri, 31 Dec 9999 23:59:60 GMT", None),
        ("Mon, 01 Jan 0001 00:00:00 GMT", 0),
        ("Mon, 01 Jan 0000 00:00:00 GMT", None),
        ("soon", None),
        ("-5", None),
        ("٣", None),
        ("", None),
    ],
)
def test_retry_after(value: str | None, seconds: float | None) -> None:
    assert retry_after(value, NOW) == seconds


@pytest.mark.parametrize(
    "value",
    [
        "Wed, 21 Oct 99999999999999999999 07:28:00 GMT",
        "Wed, 21 Oct 2015 07:28:00 +" + "9" * 400,
        "Wed, 21 Oct 2015 07:28:00." + "9" * 5000 + " GMT",
        "Wed, 21 Oct 2015 24:00:00 GMT",
        "Mon, 31 Feb 2027 00:00:00 GMT",
        "Mon, 01 Jan 2027 99:99:99 GMT",
        "Mon, 01 Jan 2027 00:00:61 GMT",
        "Mon, 0١ Jan 2027 00:00:00 GMT",
        "Mon, 01 Jan 0001 00:00:00 +2359",
        "Mon Jan  0 00:00:00 2027",
        "1 Jan 10000 00:00:00 GMT",
        "NaN",
        "inf",
        "1e400",
        "+5",
        "5.5",
        "0x10",
        "1_0",
        "12,13",
        "²",
        "\xff\xfe",
        "\0",
        "1" * 100_000,
        "(" * 10_000,
        "a b c d e f g",
        ",",
        "\u00a05",
    ],
)
def test_nonsense_is_ignored(value: str) -> None:
    assert retry_after(value, NOW) is None


@given(
    st.text()
    | st.from_regex(r"(Mon|Fri)(day)?,? \d+[ -](Jan|Feb|Dec)[ -]\d+ \d+:\d+:\d+ .*", fullmatch=True)
    | st.integers().map(str)
)
def test_whatever_is_sent_gives_a_bounded_pause_or_none(value: str) -> None:
    assert (pause := retry_after(value)) is None or 0 <= pause <= 86_400


def test_an_endpoint_that_fails_again_and_again_is_spared() -> None:
    clock = Clock()
    breaker = CircuitBreaker(clock, chance=lambda: 0.5)
    opened = [breaker.failed() for _ in range(CircuitBreaker.FAILURES)]
    assert opened == [False] * (CircuitBreaker.FAILURES - 1) + [True]
    assert breaker.slots(8) == 0
    breaker.failed()  # was under way
    assert breaker.wait == CircuitBreaker.FIRST
    for pause in (2, 4, 8):
        clock.now += breaker.wait
        assert breaker.slots(8) == 1
        assert breaker.failed() is False
        assert breaker.wait == pause * CircuitBreaker.FIRST
    for _ in range(20):
        clock.now += breaker.wait
        breaker.failed()
    assert breaker.wait == CircuitBreaker.LAST
    breaker.succeeded()
    assert (breaker.slots(8), breaker.wait) == (8, 0)


def test_a_success_between_failures_keeps_it_closed() -> None:
    breaker = CircuitBreaker(Clock())
    for _ in range(5):
        for _ in range(CircuitBreaker.FAILURES - 1):
            breaker.failed()
        breaker.succeeded()
    assert breaker.slots(8) == 8


def test_an_endpoint_can_request_a_pause() -> None:
    clock = Clock()
    breaker = CircuitBreaker(clock)
    breaker.failed(30.0)
    assert breaker.slots(8) == 0
    clock.now += 30
    assert breaker.slots(8) == 8
    breaker.failed(1e9)
    assert breaker.wait == CircuitBreaker.HOLD


def test_a_call_that_was_under_way_does_not_end_the_pause() -> None:
    clock = Clock()
    breaker = CircuitBreaker(clock)
    breaker.failed(3.0)
    breaker.succeeded()
    breaker.failed()
    breaker.succeeded()
    assert (breaker.slots(8), breaker.wait) == (0, 3.0)
    clock.now += 3
    assert breaker.slots(8) == 8
