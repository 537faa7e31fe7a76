"""What an api process serves subscriptions with."""

from dataclasses import dataclass

from gateway.compose.common import Common, redriving
from gateway.deliveries import DeadLetters, Deliveries, Redrives
from gateway.delivery import (
    Attention,
    Finder,
    Ledger,
    News,
    Pull,
    Redriving,
    Reporting,
    Resending,
    Streaming,
    Subscribing,
    Trying,
)
from gateway.delivery.resending import Judge
from gateway.delivery.webhook import Endpoints
from gateway.event import Event
from gateway.identity import Client
from gateway.intake import Intake
from gateway.journal import Candidate, Hints, Refusals, Writer
from gateway.stop import Stop


@dataclass(frozen=True, slots=True)
class Serving:
    """Subscriptions, what they are handed, and what failed."""

    subscribing: Subscribing
    endpoints: Endpoints
    news: News
    pull: Pull
    streaming: Streaming
    letters: DeadLetters
    attention: Attention
    redriving: Redriving
    resending: Resending
    redrives: Redrives
    ledger: Ledger
    reporting: Reporting
    trying: Trying


def serve_subscriptions(
    parts: Common, intake: Intake, journal: tuple[Writer, Refusals], hints: Hints, stop: Stop
) -> Serving:
    """The parts, each made once."""
    timeout = parts.settings.append_timeout
    deliveries = Deliveries(parts.database.pool, timeout=timeout)
    letters = DeadLetters(parts.database.pool, timeout=timeout)
    finder = Finder(parts.database, parts.reader, deliveries, parts.catalogues)
    news = News(parts.reader, deliveries, hints)
    endpoints = Endpoints(parts.database, parts.settings)
    snapshots = (parts.directories, parts.catalogues)
    subscribing = Subscribing(
        parts.database,
        parts.reader,
        deliveries,
        parts.broker,
        parts.management,
        *snapshots,
        endpoints,
    )
    return Serving(
        subscribing,
        endpoints,
        news,
        Pull(parts.reader, deliveries, finder, news, *snapshots),
        Streaming(parts.reader, deliveries, finder, news, *snapshots, stop),
        letters,
        Attention(letters),
        redriving(parts, letters),
        Resending(letters, parts.reader, *journal, _judge(intake)),
        Redrives(parts.database.pool, timeout=timeout),
        Ledger(parts.database, parts.reader, deliveries, letters, parts.catalogues),
        Reporting(parts.reader, deliveries),
        Trying(endpoints, deliveries, *snapshots, parts.settings.amqp_url.get_secret_value()),
    )


def _judge(intake: Intake) -> Judge:
    """A corrected event comes in as any other does."""

    def judge(event: Event, by: Client) -> Candidate:
        intake.require_capacity()
        return intake.judge(event, by)

    return judge
