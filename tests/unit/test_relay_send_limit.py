"""The limit of messages in flight: how it follows the confirms, and how windows share it."""

from collections import deque
from collections.abc import Callable

import pytest

from gateway.broker import ConfirmOutcome
from gateway.journal import Cursor
from gateway.relay.in_flight import InFlight, InFlightWindow
from gateway.relay.send_limit import ADJUST, FLOOR, IN_FLIGHT, LIMIT, SILENCE, SendLimit
from tests.builders import an_outgoing_message

MOST = 1500
PUBLISHED = 100_000
STEP = 0.002  # seconds between two looks at the broker


class Simulated:
    """A relay of one shard, whose broker confirms after a latency, at most `rate` a second."""

    def __init__(self, *, latency: float, rate: float = 1e9, most: int = MOST) -> None:
        self.now = 0.0
        self.latency, self.rate = latency, rate
        self.hanging = 0  # one message of so many goes to a queue that does not confirm
        self.confirmed = self.hung = 0
        self._hanging: list[InFlight] = []
        self.limit = SendLimit(most, clock=lambda: self.now)
        self.window = a_window()
        self._sent: deque[tuple[float, InFlight]] = deque()
        self._free_at = 0.0  # when the broker is done with what it has
        self._adjusted = 0.0

    async def run(self, seconds: float) -> None:
        """Send as fast as the limit allows."""
        until = self.now + seconds
        while self.now < until:
            self.send()
            self.now += STEP
            self.confirm()
            if self.now - self._adjusted >= ADJUST:
                self._adjusted = self.now
                await self.limit.adjust()

    def send(self) -> None:
        for _ in range(MOST - self.window.ready):
            add(self.window)
        messages = self.window.take_ready(self.limit.share(self.window))
        for message in messages:
            assert isinstance(message.token, InFlight)
            message.token.sent_at = self.now
            if self.hanging and message.token.cursor.sequence % self.hanging == 0:
                self.hung += 1
                self._hanging.append(message.token)
                continue
            self._free_at = max(self._free_at, self.now) + 1 / self.rate
            self._sent.append((self._free_at + self.latency, message.token))
        self.limit.sent(self.window, messages)

    def confirm(self) -> None:
        confirmed = []
        while self._sent and self._sent[0][0] <= self.now:
            confirmed.append((self._sent.popleft()[1], ConfirmOutcome.CONFIRMED))
        for token, outcome in confirmed:
            self.window.apply(token, outcome)
        self.limit.settled(confirmed)
        self.confirmed += len(confirmed)

    def confirm_hanging(self) -> None:
        """The queue that hung takes up its work."""
        self.hanging, waiting = 0, [(each, ConfirmOutcome.CONFIRMED) for each in self._hanging]
        for token, outcome in waiting:
            self.window.apply(token, outcome)
        self.limit.settled(waiting)


def a_window() -> InFlightWindow:
    return InFlightWindow(Cursor(0), entries=PUBLISHED, size=1 << 30)


def add(window: InFlightWindow) -> None:
    sequence = window.cursor.sequence + len(window) + 1
    entry = InFlight(window, Cursor(sequence), str(sequence))
    entry.message = an_outgoing_message(entry)
    window.add(entry)


def filled(count: int) -> InFlightWindow:
    window = a_window()
    for _ in range(count):
        add(window)
    return window


def take(limit: SendLimit, window: InFlightWindow) -> list[InFlight]:
    messages = window.take_ready(limit.share(window))
    limit.sent(window, messages)
    window.changed.clear()
    return [each.token for each in messages if isinstance(each.token, InFlight)]


async def confirm(limit: SendLimit, tokens: list[InFlight]) -> None:
    limit.settled([(token, ConfirmOutcome.CONFIRMED) for token in tokens])


async def test_more_in_flight_that_only_wait_are_not_sent() -> None:
    for rate in (5_000, 20_000):
        busy = Simulated(latency=0.002, rate=rate)
        await busy.run(3.0)
        assert FLOOR <= busy.limit.limit < 2 * FLOOR


async def test_a_broker_that_is_far_away_gets_more_in_flight() -> None:
    far = Simulated(latency=0.06)
    await far.run(2.0)
    assert far.limit.limit == MOST
    assert far.limit.in_flight == MOST


async def test_the_limit_shrinks_once_confirms_are_delayed_and_grows_again() -> None:
    changing = Simulated(latency=0.06)
    await changing.run(2.0)
    changing.rate = 5_000  # another program takes the processors
    await changing.run(3.0)
    assert changing.limit.limit < 2 * FLOOR
    changing.rate = 1e9
    await changing.run(3.0)
    assert changing.limit.limit == MOST


async def test_a_queue_that_confirms_nothing_leaves_room_for_others() -> None:
    hanging = Simulated(latency=1e9)
    await hanging.run(SILENCE)
    assert hanging.limit.limit == FLOOR
    await hanging.run(1.0)
    assert hanging.limit.limit == MOST


async def test_what_hangs_takes_no_places_from_others() -> None:
    """Others go on as fast as the broker takes them, although it is slower than it was."""
    changing = Simulated(latency=0.002, rate=20_000)
    await changing.run(0.5)
    changing.latency, changing.rate, changing.hanging = 0.03, 3_000, 10
    await changing.run(3.0)
    for _ in range(3):
        before = changing.confirmed
        await changing.run(1.0)
        assert changing.confirmed - before > 0.9 * changing.rate
    assert changing.hung > MOST


async def test_what_hung_and_is_confirmed_is_in_flight_no_more() -> None:
    late = Simulated(latency=0.002, rate=2_000)
    late.hanging = 10
    await late.run(3.0)
    assert late.limit.in_flight >= late.hung > 0
    late.confirm_hanging()
    await late.run(0.1)
    assert 0 < late.limit.in_flight <= late.limit.limit


async def test_the_setting_is_never_exceeded_even_below_the_floor() -> None:
    small = Simulated(latency=0.05, most=3)
    await small.run(1.0)
    assert (small.limit.limit, small.limit.in_flight) == (3, 3)


async def test_windows_share_what_is_free_and_none_starves() -> None:
    limit, busy, other = SendLimit(MOST), filled(5 * FLOOR), filled(5 * FLOOR)
    sent = {busy: 0, other: 0}
    first = take(limit, busy)
    assert len(first) == FLOOR
    assert take(limit, other) == []
    for _ in range(6):
        assert not other.changed.is_set()
        await confirm(limit, first)
        assert other.changed.is_set()
        first = []
        for window in (busy, other):
            taken = take(limit, window)
            sent[window] += len(taken)
            first += taken
    assert min(sent.values()) > FLOOR


@pytest.mark.parametrize("free", [1, FLOOR // 8 - 1])
async def test_few_that_are_free_are_not_worth_a_write(free: int) -> None:
    limit, window = SendLimit(MOST), filled(2 * FLOOR)
    sent = take(limit, window)
    await confirm(limit, sent[:free])
    assert not window.changed.is_set()
    assert take(limit, window) == []
    await confirm(limit, sent[free : FLOOR // 4])
    assert window.changed.is_set()
    assert len(take(limit, window)) == FLOOR // 4


async def test_a_window_that_ended_takes_no_share() -> None:
    limit, ended, window = SendLimit(MOST), filled(2 * FLOOR), filled(2 * FLOOR)
    sent = take(limit, ended)
    limit.forget(ended)
    await confirm(limit, sent)
    assert not ended.changed.is_set()
    assert len(take(limit, window)) == FLOOR


@pytest.mark.parametrize(
    "outcome", [ConfirmOutcome.NACKED, ConfirmOutcome.RETURNED, ConfirmOutcome.UNSENDABLE]
)
async def test_whatever_becomes_of_a_message_it_is_in_flight_no_more(
    outcome: ConfirmOutcome,
) -> None:
    limit, window = SendLimit(MOST), filled(10)
    sent = take(limit, window)
    limit.settled([(token, outcome) for token in sent])
    limit.settled([])
    assert limit.in_flight == 0


async def test_the_metrics_show_the_limit_and_what_is_in_flight() -> None:
    shown: Callable[[], list[float]] = lambda: [  # noqa: E731 - read twice
        sample.value
        for metric in (LIMIT, IN_FLIGHT)
        for each in metric.collect()
        for sample in each.samples
    ]
    limit, window = SendLimit(MOST), filled(10)
    take(limit, window)
    await limit.adjust()
    assert shown() == [FLOOR, 10]
