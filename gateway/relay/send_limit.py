"""How many messages of one relay may be in flight at once, over all its shards and backfills.

RabbitMQ routes and confirms most messages while few wait in it: those beyond what it works on cost
it memory and collection of garbage, and no confirm comes earlier (decision 0035). How many it works
on differs by broker, cluster and disk, so the limit follows the confirms: it grows while the relay
would send more and more in flight does not delay the confirms, and shrinks once it does.
"""

import time
from collections.abc import Callable, Sequence

from prometheus_client import Gauge

from gateway.base.telemetry import METRICS
from gateway.broker import ConfirmOutcome, ConfirmResult
from gateway.relay.in_flight import InFlight, InFlightWindow

FLOOR = 500  # in flight at least: with fewer, a write and its confirms carry too few at a time
ADJUST = 0.05  # seconds between two adjustments
GROWTH, SHRINKAGE = 1.2, 0.8
TOLERATED, JITTER = 1.5, 0.005  # times the usual latency, and seconds beside, are no delay
SMOOTHING = 0.1  # weight of the newest latency in the usual one
SILENCE = 1.0  # seconds without a confirm: those in flight may wait for one queue that hangs
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
    """The limit of one connection. What is taken from a window is in flight until its result."""

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Never allow more than `most`; nor fewer than FLOOR, unless `most` is below that."""
        self._most = most
        self._floor = min(FLOOR, most)
        self._clock = clock
        self._limit = float(self._floor)
        self._in_flight = 0
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

    def sent(self, window: InFlightWindow, count: int) -> None:
        """Count what is sent. If more is ready, `window.changed` is set when more may be sent."""
        if not self._in_flight:
            self._confirmed_at = self._clock()  # silence counts from here
        self._in_flight += count
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
        if outcome is ConfirmOutcome.CONFIRMED and isinstance(token, InFlight):
            self._confirmed(token.sent_at, now)
        if self._in_flight > self._floor:
            self._few_since = now
        self._in_flight -= len(results)
        if self._waiting:
            self._wake()

    def _confirmed(self, sent_at: float, now: float) -> None:
        self._confirmed_at = now
        latency = now - sent_at
        if self._counts_from is not None and sent_at >= self._counts_from:
            self._latencies.append(latency)
        elif self._counts_from is None and sent_at >= self._moved_at:
            self._counts_from = now
        if sent_at >= self._few_since and self._in_flight <= self._floor:
            usual = latency if self._usual is None else self._usual
            self._usual = usual + SMOOTHING * (latency - usual)

    async def adjust(self) -> None:
        """Move the limit by one step if the confirms since the last step say so."""
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

    def _move(self, limit: float) -> None:
        self._limit = max(self._floor, min(self._most, limit))
        self._moved_at = self._clock()
        self._counts_from, self._latencies = None, []
        self._reached = bool(self._waiting)

    def _is_delayed(self, latency: float) -> bool:
        return self._usual is not None and latency > TOLERATED * self._usual + JITTER

    def _free(self) -> int:
        """How many more may be in flight; 0 until they are worth a write."""
        free = self.limit - self._in_flight
        return free if free * PIECE >= self.limit else 0

    def _wake(self) -> None:
        if self._free():
            for window in self._waiting:
                window.changed.set()
