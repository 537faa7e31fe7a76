"""Quotas in memory: what one process decides, and what several make of it together."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.base.database import Topic
from gateway.base.rate_limit import RateLimit, SharedBucket
from gateway.base.snapshot import Snapshot
from gateway.identity import (
    BUILT_IN,
    Client,
    ClientState,
    Directory,
    DirectoryLoader,
    Organisation,
    Quota,
    Role,
)
from gateway.quotas import Call, Limiter, QuotaExceeded
from gateway.quotas.meters import LastMinute, PlaceMeter

CREATED = datetime(2026, 5, 4, tzinfo=UTC)
CLIENT = Client("uji-1", "uji", "x", frozenset(Role), ClientState.ACTIVE, False, CREATED)


class Clock:
    """A time that moves when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def directory(organisation: dict[str, int], client: dict[str, int]) -> Directory:
    uji = Organisation("uji", "Uji", "", False, CREATED, quotas=organisation)
    return Directory({"uji": uji}, {CLIENT.id: replace(CLIENT, quotas=client)}, {}, ())


class Limited:
    """A limiter on a directory that may change."""

    def __init__(self, **quotas: int) -> None:
        self.clock = Clock()
        self.snapshot: Snapshot[Directory] = Snapshot(Topic.IDENTITY, DirectoryLoader())
        self.change(quotas, {})
        self.limiter = Limiter(self.snapshot, self.clock)

    def change(self, organisation: dict[str, int], client: dict[str, int]) -> None:
        self.snapshot._value = directory(organisation, client)

    def spend(self, quota: Quota = Quota.EVENTS, count: int = 1) -> bool:
        gate = self.limiter.gate(CLIENT)
        try:
            gate.require(quota)
        except QuotaExceeded:
            return False
        gate.spend(quota, count)
        return True


def test_a_rate_comes_back_with_time() -> None:
    limited = Limited(events=2)
    assert [limited.spend() for _ in range(3)] == [True, True, False]
    limited.clock.now += 0.5
    assert [limited.spend() for _ in range(2)] == [True, False]


def test_what_was_taken_at_once_is_paid_off() -> None:
    limited = Limited(events=10)
    assert limited.spend(count=30)
    limited.clock.now += 2.0
    assert not limited.spend()
    limited.clock.now += 0.2
    assert limited.spend()


def test_a_client_has_both_quotas() -> None:
    limited = Limited()
    limited.change({"events": 5}, {"events": 2})
    assert [limited.spend() for _ in range(3)] == [True, True, False]
    with pytest.raises(QuotaExceeded, match="uji-1 has used up its quota of 2 events a second"):
        limited.limiter.gate(CLIENT).require(Quota.EVENTS)


def test_another_limit_is_in_force_at_once() -> None:
    limited = Limited(events=2)
    assert [limited.spend() for _ in range(3)] == [True, True, False]
    limited.change({"events": 1000}, {})
    assert not limited.spend()  # the new rate counts from here on
    limited.clock.now += 0.1
    assert [limited.spend() for _ in range(50)] == [True] * 50
    limited.change({"events": 1}, {})
    assert [limited.spend() for _ in range(2)] == [True, False]
    limited.change({}, {})
    limited.clock.now += 1
    assert (
        limited.limiter.gate(CLIENT)
        .fields[0][1]
        .startswith(b'"events";q=%d;w=1' % BUILT_IN[Quota.EVENTS])
    )


def test_a_call_holds_one_place_until_it_ends() -> None:
    limited = Limited(in_flight=2, streams=1)
    first, second = (Call(limited.limiter.gate(CLIENT)) for _ in range(2))
    with pytest.raises(QuotaExceeded, match="in flight at the same time"):
        Call(limited.limiter.gate(CLIENT))
    first.become(Quota.STREAMS)
    with pytest.raises(QuotaExceeded, match="1 streams at the same time"):
        second.become(Quota.STREAMS)
    third = Call(limited.limiter.gate(CLIENT))
    for each in (first, second, third):
        each.end()
    assert [meter.in_use for meter in limited.limiter.places] == [0, 0, 0]


def test_the_answer_says_which_quota_and_when() -> None:
    limited = Limited(bytes=10)
    gate = limited.limiter.gate(CLIENT)
    gate.publish(100)
    with pytest.raises(QuotaExceeded) as refused:
        gate.publish(1)
    assert refused.value.report == {"violated-policies": ["bytes"]}
    assert refused.value.retry_after == 10  # 91 bytes at 10 a second
    assert refused.value.fields == {
        "ratelimit-policy": '"bytes";q=10;w=1;qu="content-bytes"',
        "ratelimit": '"bytes";r=0;t=10',
    }


def test_a_minute_is_forgotten() -> None:
    clock = Clock()
    minute = LastMinute(clock)
    minute.add(5, 1)
    clock.now += 30
    minute.add(2, 0)
    assert minute.totals == (7, 1)
    clock.now += 40
    assert minute.totals == (2, 0)


class Shared:
    """A bucket that processes reconcile, as the table does it."""

    def __init__(self, rate: float, processes: int) -> None:
        self.clock = Clock()
        self.limit = RateLimit.per_second(rate)
        self.tokens, self.at = self.limit.burst, self.clock.now
        self.copies = [
            SharedBucket(self.limit, sharers=processes, clock=self.clock) for _ in range(processes)
        ]

    def exchange(self, active: list[int]) -> None:
        for each in active:
            self.tokens = self.limit.refilled(self.tokens, self.clock.now - self.at)
            self.at = self.clock.now
            self.tokens -= self.copies[each].report()
            self.copies[each].reconcile(self.tokens, len(active))


@given(
    rate=st.integers(1, 50),
    processes=st.integers(1, 4),
    steps=st.lists(st.lists(st.integers(0, 20), min_size=4, max_size=4), min_size=10, max_size=200),
)
def test_all_processes_together_keep_the_rate(
    rate: int, processes: int, steps: list[list[int]]
) -> None:
    """Whatever each of them wants: rate x time, two bursts, and one more for each process."""
    shared, spent = Shared(rate, processes), 0
    began = shared.clock.now
    for wanted in steps:
        active = []
        for number, copy in enumerate(shared.copies):
            if wanted[number]:
                active.append(number)
            for _ in range(wanted[number]):
                if copy.wait == 0:
                    copy.spend()
                    spent += 1
        shared.exchange(active)
        shared.clock.now += 0.2
    seconds = shared.clock.now - began
    assert spent <= rate * seconds + 2 * shared.limit.burst + processes


@given(limit=st.integers(1, 30), wanted=st.lists(st.integers(0, 2), max_size=200))
def test_places_of_all_processes_keep_the_limit(limit: int, wanted: list[int]) -> None:
    """One more for each further process at most; somebody always gets the last one."""
    clock = Clock()
    meters = [PlaceMeter(("o/uji", Quota.STREAMS), limit, 0, 3, clock) for _ in range(3)]
    for number in wanted:
        meters[number].enter()
        total = sum(each.in_use for each in meters)
        assert total <= limit + 2
        for each in meters:
            each.reconcile(total - each.in_use, 3)
    while any(each.enter() for each in meters):
        total = sum(each.in_use for each in meters)
        for each in meters:
            each.reconcile(total - each.in_use, 3)
    assert limit <= sum(each.in_use for each in meters) <= limit + 2
