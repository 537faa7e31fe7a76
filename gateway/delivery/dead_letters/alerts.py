"""Dead letters that nobody has inspected: as metrics, and in the log after some time."""

from collections.abc import Sequence
from datetime import UTC, datetime

from prometheus_client import Gauge

from gateway.base.telemetry import METRICS, log
from gateway.base.times import rfc3339
from gateway.delivery.store import DeadLetters, UnseenDeadLetters

LABELLED = 100  # subscriptions that have metrics of their own
OTHERS = ("*", "*")  # the labels of all others together; neither is a valid name
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
    """Updates the metrics of a process. All processes report the same values."""

    def __init__(self, dead_letters: DeadLetters) -> None:
        self._dead_letters = dead_letters

    async def run_once(self) -> None:
        """Update the metrics. Without an answer of the database the last values stay."""
        set_metrics(await self._dead_letters.unseen(), datetime.now(UTC))


class DeadLetterAlerts:
    """Logs one line for each subscription with dead letters that nobody has inspected for long.

    Each dead letter is reported once. Run it in one process at a time.
    """

    def __init__(self, dead_letters: DeadLetters, *, after: float) -> None:
        """`after` is in seconds."""
        self._dead_letters = dead_letters
        self._after = after

    async def run_once(self) -> None:
        """Report the dead letters that have waited so long since the last run."""
        await self._dead_letters.alert(self._after, report=_log)


def set_metrics(unseen: Sequence[UnseenDeadLetters], now: datetime) -> None:
    """Set the metrics: subscriptions with most dead letters by name, all others together."""
    COUNT.clear()
    OLDEST.clear()
    ordered = sorted(unseen, key=lambda each: each.count, reverse=True)
    groups = [((each.organisation, each.subscription), [each]) for each in ordered[:LABELLED]]
    if ordered[LABELLED:]:
        groups.append((OTHERS, ordered[LABELLED:]))
    for labels, members in groups:
        oldest = min(each.oldest for each in members)
        COUNT.labels(*labels).set(sum(each.count for each in members))
        OLDEST.labels(*labels).set(max((now - oldest).total_seconds(), 0))


def _log(unseen: UnseenDeadLetters) -> None:
    log().warning(
        "dead_letters.unseen_reported",
        organisation=unseen.organisation,
        subscription=unseen.subscription,
        count=unseen.count,
        oldest=rfc3339(unseen.oldest),
    )
