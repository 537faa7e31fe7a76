"""Subscriptions and deliveries in an api process."""

from dataclasses import dataclass

from gateway.base.periodic import Supervisor
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
from gateway.delivery.recent_types import RecentTypes
from gateway.delivery.store import DeadLetters, Deliveries, Redrives
from gateway.delivery.webhook import Endpoints
from gateway.journal import HintListener, JournalWriter
from gateway.processes.context import ProcessContext
from gateway.publishing import EventPublisher
from gateway.subscriptions.lifecycle import SubscriptionLifecycle

METRICS_EVERY = 5.0  # seconds between two updates of the metrics of dead letters


@dataclass(frozen=True, slots=True)
class ReceivingContext:
    """The use cases by which events are received from this process."""

    deliveries: Deliveries
    hints: HintListener
    wakeups: Wakeups
    pull: PullDelivery
    stream: StreamDelivery

    def start(self, background: Supervisor) -> None:
        """Wake waiting receivers."""
        background.start("journal.hint_listener", self.hints.run(background.stop))
        background.start("delivery.wakeups", self.wakeups.run(background.stop))


def make_receiving(context: ProcessContext, writer: JournalWriter, stop: Stop) -> ReceivingContext:
    """Construct the use cases, each once."""
    reader, snapshots = context.reader, (context.directories, context.catalogues)
    deliveries = Deliveries(context.database.pool, timeout=context.timeout)
    recent = RecentTypes()
    scanner = JournalScanner(context.database, reader, deliveries, context.catalogues, recent)
    hints = HintListener(context.connect, writer.probe.doubt)
    wakeups = Wakeups(reader, deliveries, hints, recent)
    shared = (reader, deliveries, scanner, wakeups, *snapshots)
    return ReceivingContext(
        deliveries, hints, wakeups, PullDelivery(*shared), StreamDelivery(*shared, stop)
    )


@dataclass(frozen=True, slots=True)
class DeliveryContext:
    """The use cases of subscriptions, deliveries and dead letters."""

    subscription_lifecycle: SubscriptionLifecycle
    endpoints: Endpoints
    receiving: ReceivingContext
    dead_letters: DeadLetters
    redriver: Redriver
    resender: Resender
    redrives: Redrives
    ledger: DeliveryLedger
    consumer_reports: ConsumerReports
    delivery_tester: DeliveryTester

    def start(self, background: Supervisor) -> None:
        """Wake waiting receivers, and keep the metrics of dead letters."""
        metrics = DeadLetterMetrics(self.dead_letters)
        self.receiving.start(background)
        background.periodic("dead_letters.metrics", metrics.run_once, METRICS_EVERY)


def make_delivery(
    context: ProcessContext, publisher: EventPublisher, writer: JournalWriter, stop: Stop
) -> DeliveryContext:
    """Construct the use cases, each once."""
    pool, timeout = context.database.pool, context.timeout
    database, reader = context.database, context.reader
    snapshots = (context.directories, context.catalogues)
    receiving = make_receiving(context, writer, stop)
    deliveries = receiving.deliveries
    dead_letters = DeadLetters(pool, timeout=timeout)
    endpoints = Endpoints(database, context.settings)
    lifecycle = SubscriptionLifecycle(
        database, reader, deliveries, context.broker, context.management, *snapshots, endpoints
    )
    return DeliveryContext(
        lifecycle,
        endpoints,
        receiving,
        dead_letters,
        context.redriver(dead_letters),
        Resender(dead_letters, reader, writer, publisher),
        Redrives(pool, timeout=timeout),
        DeliveryLedger(database, reader, deliveries, context.catalogues),
        ConsumerReports(reader, deliveries),
        DeliveryTester(endpoints, deliveries, *snapshots, context.amqp_url),
    )
