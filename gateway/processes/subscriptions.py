"""What an api process serves subscriptions with."""

from dataclasses import dataclass

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
from gateway.delivery.store import DeadLetters, Deliveries, Redrives
from gateway.delivery.webhook import Endpoints
from gateway.journal import HintListener, JournalWriter
from gateway.processes.context import ProcessContext, redriving
from gateway.publishing import EventPublisher
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
    publisher: EventPublisher,
    writer: JournalWriter,
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
        Resender(letters, parts.reader, writer, publisher),
        Redrives(parts.database.pool, timeout=timeout),
        DeliveryLedger(parts.database, parts.reader, deliveries, letters, parts.catalogues),
        ConsumerReports(parts.reader, deliveries),
        DeliveryTester(
            endpoints, deliveries, *snapshots, parts.settings.amqp_url.get_secret_value()
        ),
    )
