"""Tells of dead letters that nobody looks at: as metrics, and in the log once they wait long."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from prometheus_client import Gauge

from gateway.base.errors import NusabusError
from gateway.base.stop import Stop
from gateway.base.telemetry import METRICS, log
from gateway.base.times import rfc3339
from gateway.delivery.store import DeadLetters, UnseenDeadLetters

LOOK = 5.0  # seconds between two looks
MOST = 100  # subscriptions that have metrics of their own
REST = ("*", "*")  # all others together; no organisation and no subscription has this name
_LABELS = ("organisation", "subscription")
COUNT = Gauge(
    "nusabus_dead_letters_unseen",
    "Dead letters that nobody has inspected",
    _LABELS,
    registry=METRICS,
)
OLDEST = Gauge(
    "nusabus_dead_letters_unseen_oldest_age_seconds",
    "Age of the oldest dead letter that nobody has inspected",
    _LABELS,
    registry=METRICS,
)


class DeadLetterMetrics:
    """Keeps the metrics of a process; every process says the same."""

    def __init__(self, dead_letters: DeadLetters) -> None:
        self._dead_letters = dead_letters

    async def run(self, stop: Stop) -> None:
        """Look until stopped. Without an answer of the database the last figures stand."""
        going_on = True
        while going_on:
            try:
                show(await self._dead_letters.unseen(), datetime.now(UTC))
            except NusabusError as error:
                log().debug("attention.waits", reason=str(error))
            going_on = await stop.sleep(LOOK)


class DeadLetterAlerts:
    """Writes a line for each subscription with dead letters that nobody has looked at for long.

    Each dead letter is told of once. One at work at a time, see `responsible`.
    """

    def __init__(
        self, dead_letters: DeadLetters, *, after: float, responsible: Callable[[], bool]
    ) -> None:
        """`after` is in seconds."""
        self._dead_letters = dead_letters
        self._after = after
        self._responsible = responsible

    async def run(self, stop: Stop) -> None:
        """Look until stopped."""
        while await stop.sleep(LOOK):
            if not self._responsible():
                continue
            try:
                await self._dead_letters.alert(self._after, tell=_tell)
            except NusabusError as error:
                log().warning("attention.waits", reason=str(error))


def show(found: Sequence[UnseenDeadLetters], now: datetime) -> None:
    """Set the metrics: the subscriptions with most of them by name, all others together."""
    COUNT.clear()
    OLDEST.clear()
    ordered = sorted(found, key=lambda each: each.count, reverse=True)
    groups = [((each.organisation, each.subscription), [each]) for each in ordered[:MOST]]
    if ordered[MOST:]:
        groups.append((REST, ordered[MOST:]))
    for labels, members in groups:
        oldest = min(each.oldest for each in members)
        COUNT.labels(*labels).set(sum(each.count for each in members))
        OLDEST.labels(*labels).set(max((now - oldest).total_seconds(), 0))


def _tell(each: UnseenDeadLetters) -> None:
    log().warning(
        "dead_letters.unseen_reported",
        organisation=each.organisation,
        subscription=each.subscription,
        count=each.count,
        oldest=rfc3339(each.oldest),
    )
