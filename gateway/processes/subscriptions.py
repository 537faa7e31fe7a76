"""Subscriptions and their deliveries in an api process."""

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
from gateway.processes.context import ProcessContext, make_redriver
from gateway.publishing import EventPublisher
from gateway.subscriptions.lifecycle import SubscriptionLifecycle


@dataclass(frozen=True, slots=True)
class Serving:
    """The use cases of subscriptions, deliveries and dead letters."""

    subscription_lifecycle: SubscriptionLifecycle
    endpoints: Endpoints
    wakeups: Wakeups
    pull: PullDelivery
    stream: StreamDelivery
    dead_letters: DeadLetters
    dead_letter_metrics: DeadLetterMetrics
    redriver: Redriver
    resender: Resender
    redrives: Redrives
    ledger: DeliveryLedger
    consumer_reports: ConsumerReports
    delivery_tester: DeliveryTester


def serve_subscriptions(
    parts: ProcessContext,
    publisher: EventPublisher,
    writer: JournalWriter,
    hints: HintListener,
    stop: Stop,
) -> Serving:
    """Construct them, each once."""
    timeout = parts.settings.append_timeout
    deliveries = Deliveries(parts.database.pool, timeout=timeout)
    dead_letters = DeadLetters(parts.database.pool, timeout=timeout)
    scanner = JournalScanner(parts.database, parts.reader, deliveries, parts.catalogues)
    wakeups = Wakeups(parts.reader, deliveries, hints)
    endpoints = Endpoints(parts.database, parts.settings)
    snapshots = (parts.directories, parts.catalogues)
    lifecycle = SubscriptionLifecycle(
        parts.database,
        parts.reader,
        deliveries,
        parts.broker,
        parts.management,
        *snapshots,
        endpoints,
    )
    return Serving(
        lifecycle,
        endpoints,
        wakeups,
        PullDelivery(parts.reader, deliveries, scanner, wakeups, *snapshots),
        StreamDelivery(parts.reader, deliveries, scanner, wakeups, *snapshots, stop),
        dead_letters,
        DeadLetterMetrics(dead_letters),
        make_redriver(parts, dead_letters),
        Resender(dead_letters, parts.reader, writer, publisher),
        Redrives(parts.database.pool, timeout=timeout),
        DeliveryLedger(parts.database, parts.reader, deliveries, parts.catalogues),
        ConsumerReports(parts.reader, deliveries),
        DeliveryTester(
            endpoints, deliveries, *snapshots, parts.settings.amqp_url.get_secret_value()
        ),
    )
