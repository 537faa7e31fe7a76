"""How many messages of one relay may be in flight at once, over all its shards and backfills.

RabbitMQ routes and confirms most messages while few wait in it: those beyond what it works on cost
it memory and collection of garbage, and no confirm comes earlier (decision 0035). How many it works
on differs by broker, cluster and disk, so the limit follows the confirms: it grows while the relay
would send more and more in flight does not delay the confirms, and shrinks once it does. Messages
that hang in a queue which confirms nothing, while others are confirmed, do not count.
"""

import math
import time
from collections.abc import Callable, Sequence

from prometheus_client import Gauge

from gateway.base.telemetry import METRICS
from gateway.broker import ConfirmOutcome, ConfirmResult, OutgoingMessage
from gateway.relay.in_flight import InFlight, InFlightWindow

FLOOR = 500  # in flight at least: with fewer, a write and its confirms carry too few at a time
ADJUST = 0.05  # seconds between two adjustments
GROWTH, SHRINKAGE = 1.2, 0.8
TOLERATED, JITTER = 1.5, 0.005  # times the usual latency, and seconds beside, are no delay
SMOOTHING = 0.1  # weight of the newest latency in the usual one
SILENCE = 1.0  # seconds without a confirm: those in flight may wait for one queue that hangs
HANGING = 1.0  # seconds between a message without a result and a later one that was confirmed
PIECE = 8  # at least this part of the limit is free before more is sent: larger writes

LIMIT = Gauge(
    "nusabus_relay_in_flight_limit",
    "Messages that this relay may have in flight now",
    registry=METRICS,
)
IN_FLIGHT = Gauge(
    "nusabus_relay_in_flight", "Messages that this relay has in flight", registry=METRICS
)


class SendLimit:
    """The limit of one connection. What is taken from a window is in flight until its result.

    What hangs counts no more: it is bounded by what each window holds.
    """

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Never more than `most` beside what hangs; nor fewer than FLOOR, or `most` if less."""
        self._most = most
        self._floor = min(FLOOR, most)
        self._clock = clock
        self._limit = float(self._floor)
        self._in_flight = self._hanging = 0
        self._unsettled: dict[float, int] = {}  # those that do not hang, by when they were sent
        self._hanging_before = self._confirmed_to = -math.inf  # times at which messages were sent
        self._usual: float | None = None  # seconds to a confirm with no more than FLOOR in flight
        self._few_since = self._moved_at = self._confirmed_at = clock()
        self._latencies: list[float] = []  # of what was sent once the last move had its effect
        self._counts_from: float | None = None
        self._reached = False  # the limit, since the last adjustment
        self._waiting: dict[InFlightWindow, None] = {}

    @property
    def limit(self) -> int:
        """How many messages may be in flight now."""
        return int(self._limit)

    @property
    def in_flight(self) -> int:
        """Messages that were sent and have no result yet."""
        return self._in_flight

    def share(self, window: InFlightWindow) -> int:
        """How many messages of a window may be sent now. Those that wait share what is free."""
        self._waiting.pop(window, None)
        return -(-self._free() // (1 + len(self._waiting)))

    def sent(self, window: InFlightWindow, messages: Sequence[OutgoingMessage]) -> None:
        """Count what is sent. If more is ready, `window.changed` is set when more may be sent."""
        if not self._worked_on:
            self._confirmed_at = self._clock()  # silence counts from here
        self._in_flight += len(messages)
        for message in messages:
            at = _sent_at(message.token)
            self._unsettled[at] = self._unsettled.get(at, 0) + 1
        if window.ready:
            self._waiting[window] = None
            self._reached = True

    def forget(self, window: InFlightWindow) -> None:
        """This window sends nothing any more."""
        self._waiting.pop(window, None)

    def settled(self, results: Sequence[ConfirmResult]) -> None:
        """Take the results of messages, and wake the windows that wait if enough is free."""
        if not results:
            return
        now = self._clock()
        token, outcome = results[-1]
        if outcome is ConfirmOutcome.CONFIRMED:
            self._confirmed(_sent_at(token), now)
        if self._worked_on > self._floor:
            self._few_since = now
        for token, _ in results:
            self._settle(_sent_at(token))
        if self._waiting:
            self._wake()

    @property
    def _worked_on(self) -> int:
        """Messages in flight that do not hang."""
        return self._in_flight - self._hanging

    def _settle(self, sent_at: float) -> None:
        self._in_flight -= 1
        if sent_at < self._hanging_before:
            self._hanging -= 1
        elif self._unsettled[sent_at] > 1:
            self._unsettled[sent_at] -= 1
        else:
            del self._unsettled[sent_at]

    def _confirmed(self, sent_at: float, now: float) -> None:
        self._confirmed_at = now
        self._confirmed_to = max(self._confirmed_to, sent_at)
        latency = now - sent_at
        if self._counts_from is not None and sent_at >= self._counts_from:
            self._latencies.append(latency)
        elif self._counts_from is None and sent_at >= self._moved_at:
            self._counts_from = now
        if sent_at >= self._few_since and self._worked_on <= self._floor:
            usual = latency if self._usual is None else self._usual
            self._usual = usual + SMOOTHING * (latency - usual)

    async def adjust(self) -> None:
        """Move the limit by one step if the confirms since the last step say so."""
        self._find_hanging()
        if self._latencies:
            if self._is_delayed(sum(self._latencies) / len(self._latencies)):
                self._move(self._limit * SHRINKAGE)
            elif self._reached:
                self._move(self._limit * GROWTH)
        elif self._reached and self._clock() - self._confirmed_at > SILENCE:
            self._move(self._limit * GROWTH)
        LIMIT.set(self.limit)
        IN_FLIGHT.set(self._in_flight)
        self._wake()

    def _find_hanging(self) -> None:
        """What was sent long before something that is confirmed hangs."""
        self._hanging_before = max(self._hanging_before, self._confirmed_to - HANGING)
        for sent_at in [each for each in self._unsettled if each < self._hanging_before]:
            self._hanging += self._unsettled.pop(sent_at)

    def _move(self, limit: float) -> None:
        self._limit = max(self._floor, min(self._most, limit))
        self._moved_at = self._clock()
        self._counts_from, self._latencies = None, []
        self._reached = bool(self._waiting)

    def _is_delayed(self, latency: float) -> bool:
        return self._usual is not None and latency > TOLERATED * self._usual + JITTER

    def _free(self) -> int:
        """How many more may be in flight; 0 until they are worth a write."""
        free = self.limit - self._worked_on
        return free if free * PIECE >= self.limit else 0

    def _wake(self) -> None:
        if self._free():
            for window in self._waiting:
                window.changed.set()


def _sent_at(token: object) -> float:
    assert isinstance(token, InFlight)  # noqa: S101 - the relay sends no other tokens
    return token.sent_at
