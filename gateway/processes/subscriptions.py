"""What an api process serves subscriptions with."""

from dataclasses import dataclass

from gateway.base.event import Event
from gateway.base.stop import Stop
from gateway.delivery import (
    ConsumerReports,
    DeadLetterMetrics,
    DeliveryLedger,
    DeliveryTester,
    JournalScanner,
    PullDelivery,
    Redriver,
    Resender,
    StreamDelivery,
    Wakeups,
)
from gateway.delivery.dead_letters.resend import Validator
from gateway.delivery.store import DeadLetters, Deliveries, Redrives
from gateway.delivery.webhook import Endpoints
from gateway.identity import Client
from gateway.journal import Candidate, HintListener, JournalWriter, Refusals
from gateway.processes.context import ProcessContext, redriving
from gateway.publishing import Intake
from gateway.subscriptions.subscribe import Subscribing


@dataclass(frozen=True, slots=True)
class Serving:
    """Subscriptions, what they are handed, and what failed."""

    subscribing: Subscribing
    endpoints: Endpoints
    news: Wakeups
    pull: PullDelivery
    streaming: StreamDelivery
    letters: DeadLetters
    attention: DeadLetterMetrics
    redriving: Redriver
    resending: Resender
    redrives: Redrives
    ledger: DeliveryLedger
    reporting: ConsumerReports
    trying: DeliveryTester


def serve_subscriptions(
    parts: ProcessContext,
    intake: Intake,
    journal: tuple[JournalWriter, Refusals],
    hints: HintListener,
    stop: Stop,
) -> Serving:
    """The parts, each made once."""
    timeout = parts.settings.append_timeout
    deliveries = Deliveries(parts.database.pool, timeout=timeout)
    letters = DeadLetters(parts.database.pool, timeout=timeout)
    finder = JournalScanner(parts.database, parts.reader, deliveries, parts.catalogues)
    news = Wakeups(parts.reader, deliveries, hints)
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
        PullDelivery(parts.reader, deliveries, finder, news, *snapshots),
        StreamDelivery(parts.reader, deliveries, finder, news, *snapshots, stop),
        letters,
        DeadLetterMetrics(letters),
        redriving(parts, letters),
        Resender(letters, parts.reader, *journal, _judge(intake)),
        Redrives(parts.database.pool, timeout=timeout),
        DeliveryLedger(parts.database, parts.reader, deliveries, letters, parts.catalogues),
        ConsumerReports(parts.reader, deliveries),
        DeliveryTester(
            endpoints, deliveries, *snapshots, parts.settings.amqp_url.get_secret_value()
        ),
    )


def _judge(intake: Intake) -> Validator:
    """A corrected event comes in as any other does."""

    def judge(event: Event, by: Client) -> Candidate:
        intake.require_capacity()
        return intake.judge(event, by)

    return judge
