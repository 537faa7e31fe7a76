"""What a process takes on: by a clock of our own, against a process of a known speed."""

import asyncio

import pytest
from structlog.testing import capture_logs

from gateway.http.admission import (
    CALM,
    FEWEST,
    INITIAL,
    LONGEST_DELAY,
    MOST,
    PATIENCE,
    TARGET,
    WINDOW,
    Admission,
    Admitted,
    Shed,
)


class Clock:
    """A time that stands still."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


MANY = 100_000  # requests of an organisation


@pytest.fixture
def clock() -> Clock:
    return Clock()


def entered(admission: Admission, organisation: str = "noisy", places: int = 1) -> Admitted:
    place = admission.enter(organisation, places)
    assert isinstance(place, Admitted)
    admission.keep(place)
    return place


def flood(admission: Admission, organisation: str = "noisy", most: int = MANY) -> list[Admitted]:
    """Enter until refused."""
    found: list[Admitted] = []
    while len(found) < most and isinstance(place := admission.enter(organisation, 1), Admitted):
        admission.keep(place)
        found.append(place)
    return found


async def work(admission: Admission, clock: Clock, *, rate: float, seconds: float) -> list[float]:
    """A flood is served in order, so many a second; the latencies of the last tenth of the time."""
    queue = flood(admission)
    latencies: list[float] = []
    for number in range(int(seconds / WINDOW)):
        for _ in range(int(rate * WINDOW)):
            clock.now += 1 / rate
            place = queue.pop(0)
            if number > seconds / WINDOW * 0.9:
                latencies.append(clock() - place.since)
            admission.leave(place)
            queue += flood(admission)
        await admission.adjust()
    return latencies


@pytest.mark.parametrize("rate", [1_300, 4_000, 12_000])
async def test_what_is_accepted_takes_as_long_as_it_should(clock: Clock, rate: int) -> None:
    admission = Admission(MANY, clock)
    latencies = await work(admission, clock, rate=rate, seconds=8)
    assert max(latencies) < 2 * TARGET
    assert admission.places == pytest.approx(rate * TARGET, rel=0.5)


async def test_a_process_that_becomes_slow_takes_less(clock: Clock) -> None:
    admission = Admission(MANY, clock)
    await work(admission, clock, rate=20_000, seconds=10)
    before = admission.places
    clock.now += 10  # nothing was answered for so long
    for place in flood(admission):
        place.since -= 10
    for _ in range(50):
        clock.now += WINDOW
        await admission.adjust()
    assert admission.places == FEWEST < before


async def test_a_process_at_rest_keeps_its_places(clock: Clock) -> None:
    admission = Admission(MANY, clock)
    for _ in range(100):
        place = entered(admission)
        clock.now += WINDOW
        admission.leave(place)
        await admission.adjust()
    assert admission.places == INITIAL


async def test_places_are_bounded(clock: Clock) -> None:
    admission = Admission(MANY, clock)
    for _ in range(100):
        places = flood(admission)
        for place in places:
            admission.leave(place)
        clock.now += WINDOW
        await admission.adjust()
    assert admission.places == MOST


def test_an_organisation_has_a_limit_of_its_own(clock: Clock) -> None:
    admission = Admission(10, clock)
    assert len(flood(admission)) == 10
    assert admission.enter("noisy", 1) is Shed.SHARE
    assert len(flood(admission, "quiet")) == 10


def test_a_quiet_organisation_enters_beside_a_flood(clock: Clock) -> None:
    admission = Admission(MANY, clock)
    flood(admission)
    assert len(flood(admission, "quiet")) == INITIAL // 2


def test_too_many_organisations_are_all_refused(clock: Clock) -> None:
    admission = Admission(MANY, clock)
    found = [admission.enter(f"organisation {number}", 1) for number in range(3 * INITIAL)]
    assert sum(isinstance(each, Admitted) for each in found) == 2 * INITIAL
    assert found[-1] is Shed.ALL


async def test_a_request_that_only_waits_takes_nothing_from_others(clock: Clock) -> None:
    admission = Admission(4, clock)
    streams = [admission.enter("quiet", 1) for _ in range(4)]
    assert admission.enter("quiet", 1) is Shed.SHARE
    clock.now += PATIENCE + WINDOW
    await admission.adjust()
    assert admission.taken == 0
    assert len(flood(admission, "quiet")) == 4
    for each in streams:
        assert isinstance(each, Admitted)
        admission.leave(each)
    assert admission.taken == 4


async def test_a_body_that_came_late_needs_a_place_again(clock: Clock) -> None:
    admission = Admission(1, clock)
    first, second = admission.enter("a", 1), admission.enter("b", 1)
    assert isinstance(first, Admitted)
    assert isinstance(second, Admitted)
    clock.now += PATIENCE + WINDOW
    await admission.adjust()
    flood(admission, "a")
    assert admission.keep(first) is Shed.SHARE
    assert admission.keep(second) is None
    admission.leave(first)
    admission.leave(second)
    assert admission.taken == 1


async def test_refusing_is_slowed_while_it_keeps_the_loop_busy(clock: Clock) -> None:
    admission = Admission(1, clock)
    entered(admission)
    for _ in range(100):
        admission.enter("noisy", 1)
        clock.now += WINDOW + 0.05
        await admission.adjust()
    assert admission.delay == LONGEST_DELAY
    for _ in range(100):
        clock.now += WINDOW
        await admission.adjust()
    assert admission.delay == 0


async def test_an_overload_is_said_once_when_it_begins_and_once_when_it_ends(clock: Clock) -> None:
    admission = Admission(1, clock)
    with capture_logs() as lines:
        entered(admission)
        for _ in range(30):
            admission.enter("noisy", 1)
            clock.now += WINDOW
            await admission.adjust()
        clock.now += CALM + WINDOW
        await admission.adjust()
    assert [line["event"] for line in lines] == ["overload.began", "overload.ended"]
    assert (lines[1]["shed"], lines[1]["most"], lines[1]["most_shed"]) == (30, "noisy", 30)


async def test_a_request_that_waits_for_its_turn_keeps_its_places(clock: Clock) -> None:
    admission = Admission(MANY, clock)
    found = [admission.enter("noisy", 20) for _ in range(20)]
    admission.enter("quiet", 1)
    places = [place for place in found if isinstance(place, Admitted)]
    turns = [asyncio.create_task(admission.turn(place)) for place in places]
    await asyncio.sleep(0)
    clock.now += 2 * PATIENCE
    await admission.adjust()
    waiting = sum(not turn.done() for turn in turns)
    assert waiting > 10
    assert admission.taken >= 20 * waiting
    assert admission.places < INITIAL  # the wait counts as ours
    await asyncio.gather(*turns)


async def test_requests_take_turns_only_beside_others(clock: Clock) -> None:
    admission = Admission(MANY, clock)
    places = flood(admission, most=100)
    turns = [asyncio.create_task(admission.turn(place)) for place in places]
    await asyncio.sleep(0)
    assert all(turn.done() for turn in turns)
    quiet = entered(admission, "quiet")
    turns = [asyncio.create_task(admission.turn(place)) for place in [*places, quiet]]
    await asyncio.sleep(0)
    assert turns[-1].done()
    assert not all(turn.done() for turn in turns)
    await asyncio.gather(*turns)
