"""Token buckets: one, and one per key."""

import pytest

from gateway.base.rate_limit import KeyedBuckets, RateLimit, TokenBucket


class Clock:
    """A clock that stands still."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_no_more_than_the_rate() -> None:
    clock = Clock()
    bucket = TokenBucket(RateLimit.per_second(2.0), clock)
    assert bucket.left == 2
    bucket.spend(2)
    assert bucket.left == 0
    assert bucket.wait == pytest.approx(0.5)
    clock.now += 0.5
    assert bucket.left == 1
    assert bucket.wait == 0
    clock.now += 1000
    assert bucket.left == 2


def test_less_than_one_a_second() -> None:
    clock = Clock()
    bucket = TokenBucket(RateLimit.per_second(0.1), clock)
    assert bucket.left == 1
    bucket.spend()
    assert bucket.wait == pytest.approx(10)
    clock.now += 10.01
    assert bucket.left == 1


def test_what_was_overspent_is_waited_for() -> None:
    bucket = TokenBucket(RateLimit(rate=2.0, burst=1.0), Clock())
    bucket.spend(3)
    assert bucket.wait == pytest.approx(1.5)


def test_each_key_has_a_burst_of_its_own() -> None:
    clock = Clock()
    buckets = KeyedBuckets(RateLimit(rate=0.5, burst=3), clock=clock)
    for _ in range(3):
        assert buckets.wait("a") == 0
        buckets.spend("a")
    assert buckets.wait("a") == 2.0
    assert buckets.wait("b") == 0
    clock.now += 2.0
    assert buckets.wait("a") == 0
    buckets.spend("a")
    assert buckets.wait("a") == 2.0
    clock.now += 60
    for _ in range(3):
        assert buckets.wait("a") == 0
        buckets.spend("a")
    assert buckets.wait("a") == 2.0


def test_a_bounded_number_of_keys_is_remembered() -> None:
    buckets = KeyedBuckets(RateLimit(rate=1 / 60, burst=1), capacity=2, clock=lambda: 0.0)
    for key in ("a", "b", "a", "c"):
        buckets.spend(key)
    assert buckets.wait("a") > 0
    assert buckets.wait("b") == 0
    assert buckets.wait("c") > 0
