"""Admission: what a process takes on, so that all of it is answered soon (decision 0024).

Requests would otherwise queue before the event loop and inside it, and every organisation would
wait for the one that sends most. So a request needs places among those in progress. Their number
follows Little's law, and organisations share them. A request without a place is refused before its
body is looked at.
"""

import collections
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from prometheus_client import Counter, Gauge

from gateway.base.errors import Overloaded, ShareExceeded
from gateway.base.fair_limit import FairLimit
from gateway.base.loop_turns import LoopTurns
from gateway.base.neighbours import Neighbours
from gateway.base.telemetry import METRICS, log

STRANGERS = ""  # the key of requests whose client is not known yet: together they are one more
BYTES = 2048  # of a body for each place: what costs as much as one small event, measured
UNKNOWN_SIZE = 64 << 10  # bytes that a body without Content-Length counts for
FEWEST, INITIAL, MOST = 384, 512, 16_384  # places of a process; the fewest: 16 batches of 100
TARGET = 0.4  # seconds in which what is accepted should be answered while more is offered
WINDOW = 0.1  # seconds between two adjustments
PATIENCE = 1.0  # seconds: a request that takes longer only waits, for its body or an event
SMOOTHING, GROWTH = 0.3, 1.1  # per window: towards what is wanted; where there is room for more
TURN = 4  # places: what begins in one pass of the event loop while organisations share it
FEW = 4  # places of an organisation whose requests wait for no turn
LATE = 0.01  # seconds by which the event loop runs late when it has too much to do
STEP, LONGEST_DELAY = 0.005, 0.03  # seconds
OLDEST = 4  # times the mean: as old the oldest request may be
CALM = 5.0  # seconds without a refusal after which the overload is over

SHED = Counter(
    "nusabus_http_shed",
    "Requests that were refused unread, because their organisation (share) or all of them together "
    "(all) had too much in progress",
    ["reason"],
    registry=METRICS,
)
PLACES = Gauge("nusabus_http_places", "Places for requests in progress", registry=METRICS)
TAKEN = Gauge("nusabus_http_places_taken", "Places that requests have taken", registry=METRICS)


class Shed(Enum):
    """Why a request is refused unread."""

    SHARE = "share"
    """Its organisation has more in progress than its share."""
    ALL = "all"
    """All of them together have too much in progress."""

    @property
    def error(self) -> Overloaded | ShareExceeded:
        """What the client is told."""
        if self is Shed.SHARE:
            return ShareExceeded(
                "Your organisation has more requests in progress than its share. Send the request "
                "again after Retry-After, and fewer at once."
            )
        return Overloaded("The gateway is overloaded. Send the request again after Retry-After.")


@dataclass(slots=True, eq=False)
class Admitted:
    """What one request has taken. `kept`: it is being worked on, and does not only wait."""

    organisation: str
    places: int
    since: float
    counted: bool = True
    kept: bool = False
    queued: bool = False
    """It waits for its turn."""
    waited: float = 0.0
    """Seconds for its turn: these are ours, and those for its body are not."""
    left: bool = False


class Admission:
    """The requests in progress of one process."""

    def __init__(self, per_organisation: int, clock: Callable[[], float] = time.monotonic) -> None:
        """`per_organisation` is how many requests each may have in progress."""
        self._limit = FairLimit(INITIAL)
        self._most = per_organisation
        self._clock = clock
        self._requests: dict[str, int] = {}  # in progress, by organisation
        self._waiting: dict[Admitted, None] = {}  # that are not kept, the oldest first
        self._kept: dict[Admitted, None] = {}  # the same of those that are
        self._measured = _Measured(clock())
        self._rate = 0.0  # places per second
        self._overload: _Overload | None = None
        self._neighbours = Neighbours(clock)
        self._turns = LoopTurns(TURN)
        self.delay = 0.0
        """Seconds before a refusal is said: more while refusing keeps the event loop busy.

        So one that comes back at once has no advantage, and costs the others little.
        """

    @property
    def places(self) -> float:
        """How many there are now."""
        return self._limit.limit

    @property
    def overloaded(self) -> bool:
        """Whether a request was refused within the last seconds."""
        return self._overload is not None

    @property
    def taken(self) -> int:
        """How many of them requests have taken."""
        return self._limit.taken

    def enter(self, organisation: str, places: int, *, counted: bool = True) -> Admitted | Shed:
        """Take places for a request, or say why it is refused.

        `counted`: it publishes, so it is one of those of which each organisation may have so many.
        """
        self._neighbours.saw(organisation)
        place = Admitted(organisation, places, self._clock(), counted)
        return self._take(place) or place

    async def turn(self, place: Admitted) -> None:
        """Wait until it is the turn of the organisation to have a request worked on."""
        if self._neighbours.several and self._limit.held(place.organisation) > FEW:
            place.queued, began = True, self._clock()
            try:
                await self._turns.turn(place.organisation, place.places)
            finally:
                place.queued, place.waited = False, self._clock() - began

    def keep(self, place: Admitted) -> Shed | None:
        """The request has arrived, and is worked on until it is answered.

        If that took so long that its places are gone, it takes them again, or is refused.
        """
        place.since = self._clock() - place.waited
        if place.left:
            place.left = False
            if (shed := self._take(place)) is not None:
                place.left = True
                return shed
        place.kept = True
        del self._waiting[place]
        self._kept[place] = None
        return None

    def leave(self, place: Admitted) -> None:
        """The request is answered."""
        if place.left:
            return
        self._give_back(place)
        measured = self._measured
        measured.places += place.places
        if place.kept:
            measured.requests += 1
            measured.seconds += self._clock() - place.since

    async def adjust(self) -> None:
        """Follow what was measured since the last call; call it every `WINDOW` seconds."""
        now, measured = self._clock(), self._measured
        self._measured = _Measured(now)
        seconds = max(now - measured.began, WINDOW)
        self._rate += SMOOTHING * (measured.places / seconds - self._rate)
        late = measured.shed and seconds - WINDOW > LATE
        self.delay = min(max(self.delay + (STEP if late else -STEP), 0.0), LONGEST_DELAY)
        if self._latency(measured, now) > TARGET:
            wanted = self._rate * TARGET  # Little's law
            limit = self._limit.limit + SMOOTHING * (wanted - self._limit.limit)
            self._limit.limit = max(FEWEST, limit)
        elif measured.shed and self._limit.taken <= self._rate * TARGET:
            self._limit.limit = min(MOST, self._limit.limit * GROWTH)
        self._give_back_waiting(now - PATIENCE)
        PLACES.set(self._limit.limit)
        TAKEN.set(self._limit.taken)
        if self._overload is not None and now - self._overload.last > CALM:
            self._overload.end()
            self._overload = None

    def _take(self, place: Admitted) -> Shed | None:
        organisation, places = place.organisation, place.places
        requests = self._requests.get(organisation, 0) if place.counted else 0
        if requests >= self._most or not self._limit.take(organisation, places):
            mine = requests >= self._most or self._limit.exceeds_share(organisation, places)
            return self._shed(organisation, Shed.SHARE if mine else Shed.ALL)
        if place.counted:
            self._requests[organisation] = requests + 1
        self._waiting[place] = None
        return None

    def _shed(self, organisation: str, why: Shed) -> Shed:
        self._measured.shed = True
        SHED.labels(why.value).inc()
        now = self._clock()
        if self._overload is None:
            self._overload = _Overload(now)
            log().warning(
                "overload.began",
                organisation=organisation,
                reason=why.value,
                places=round(self._limit.limit),
            )
        self._overload.last = now
        self._overload.shed[organisation] += 1
        return why

    def _give_back(self, place: Admitted) -> None:
        place.left = True
        self._limit.give_back(place.organisation, place.places)
        if place.counted:
            self._requests[place.organisation] -= 1
            if not self._requests[place.organisation]:
                del self._requests[place.organisation]
        del (self._kept if place.kept else self._waiting)[place]

    def _give_back_waiting(self, before: float) -> None:
        """Requests that only wait take nothing from others: streams, long polls, slow bodies."""
        for place in list(self._waiting):
            if place.since > before:
                break
            if not place.queued:
                self._give_back(place)

    def _latency(self, measured: "_Measured", now: float) -> float:
        """Seconds that requests take: the mean of those answered, and the age of the oldest."""
        oldest = next(iter(self._kept), None) or next((p for p in self._waiting if p.queued), None)
        age = 0.0 if oldest is None else now - oldest.since
        mean = measured.seconds / measured.requests if measured.requests else 0.0
        return max(mean, age / OLDEST)


@dataclass(slots=True)
class _Measured:
    """What was measured since the last adjustment."""

    began: float
    requests: int = 0
    places: int = 0
    seconds: float = 0.0
    shed: bool = False


@dataclass(slots=True)
class _Overload:
    """From the first refusal until there was none for a while: said once each."""

    began: float
    last: float = 0.0
    shed: collections.Counter[str] = field(default_factory=collections.Counter)

    def end(self) -> None:
        """Say what it was."""
        most, count = self.shed.most_common(1)[0]
        log().warning(
            "overload.ended",
            seconds=round(self.last - self.began, 1),
            shed=self.shed.total(),
            organisations=len(self.shed),
            most=most,
            most_shed=count,
        )
