"""The relay process."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

from gateway import identity
from gateway.base.periodic import Supervisor, supervised
from gateway.base.settings import Settings
from gateway.base.snapshot import POLL
from gateway.broker import Broker, DeadLetterQueue
from gateway.delivery import (
    DeadLetterAlerts,
    DeadLetterConsumer,
    NonDeliveryReporter,
    RedriveWorker,
)
from gateway.delivery.store import DeadLetters, Redrives
from gateway.journal import (
    HintListener,
    JournalWriter,
    PartitionCreator,
    ShardLeases,
)
from gateway.processes.context import (
    ProcessContext,
    open_context,
    stop_on_signals,
    tune_garbage_collector,
    unique_name,
)
from gateway.processes.health_server import HealthServer
from gateway.relay import ControlPlane, QueueCredit, Relay, WitnessKeeper
from gateway.subscriptions.broker_access import BrokerAccess
from gateway.subscriptions.reconciler import Reconciler

HOUR = 3600.0
REDRIVES, REPORTS, ALERTS, WITNESS = 0.5, 1.0, 5.0, 1.0  # seconds between two runs of these jobs
LEADER_SHARD = 0  # the relay that holds its lease is the leader


async def relay(settings: Settings) -> None:
    """Relay the journal and run the jobs of the bus until SIGTERM or SIGINT."""
    name = settings.relay_name or unique_name()
    async with (
        open_context(settings, "relay") as context,
        _open_writer(context) as writer,
        _open_queue_credit(context, name) as queue_credit,
        stop_on_signals(context.incarnation) as stop,
    ):
        await identity.maintain_signing_keys(context.database, settings)
        await context.refresh()
        hints = HintListener(context.connect)
        worker = Relay(
            settings=settings,
            name=name,
            database=context.database,
            reader=context.reader,
            leases=ShardLeases(context.database.pool, name=name, seconds=settings.lease_seconds),
            hints=hints,
            control_plane=ControlPlane(context.database, context.catalogues, context.subscriptions),
            queue_credit=queue_credit,
        )
        tune_garbage_collector()
        async with supervised(stop) as background:
            background.start("health", HealthServer(settings).run(stop))
            background.periodic("snapshots", context.refresh, POLL)
            background.start("journal.hint_listener", hints.run(stop))
            background.start("relay", worker.run(stop))
            leader = partial(worker.holds_shard, LEADER_SHARD)
            background.start("reconciler", _reconciler(context, leader).run(stop))
            access = BrokerAccess(
                context.database, context.management, context.directories, context.subscriptions
            )
            background.periodic(
                "subscriptions.broker_access", access.run_once, POLL, only_while=leader
            )
            dead_letters = DeadLetters(context.database.pool, timeout=context.timeout)
            _start_dead_letters(context, dead_letters, name, background)
            _start_dead_letter_jobs(context, dead_letters, writer, background, leader)
            _start_maintenance(context, dead_letters, background, leader)


@asynccontextmanager
async def _open_writer(context: ProcessContext) -> AsyncIterator[JournalWriter]:
    """For the few events that the gateway itself publishes."""
    shards = len(await context.reader.heads())
    writer = JournalWriter(
        context.connect,
        shards=shards,
        writers=1,
        timeout=context.timeout,
        reader=context.reader,
        incarnation=context.incarnation,
    )
    writer.start()
    try:
        yield writer
    finally:
        await writer.close()


@asynccontextmanager
async def _open_queue_credit(context: ProcessContext, name: str) -> AsyncIterator[QueueCredit]:
    """On its own connection, so that the reconciler does not wait for its queries."""
    broker = Broker(context.amqp_url, name=f"nusabus-depths-{name}")
    shards = len(await context.reader.heads())
    try:
        yield QueueCredit(broker, low=context.settings.queue_depth_limit // 2, shards=shards)
    finally:
        await broker.close()


def _reconciler(context: ProcessContext, leader: Callable[[], bool]) -> Reconciler:
    return Reconciler(
        context.database,
        context.reader,
        context.broker,
        context.management,
        (context.directories, context.catalogues, context.subscriptions),
        responsible=leader,
        settings=context.settings,
    )


def _start_dead_letters(
    context: ProcessContext, dead_letters: DeadLetters, name: str, background: Supervisor
) -> None:
    """Store the dead letters of AMQP subscriptions."""
    queue = DeadLetterQueue(context.amqp_url, name=f"nusabus-dead-{name}")
    consumer = DeadLetterConsumer(dead_letters)
    background.start("dead_letters", queue.run(consumer.consume, background.stop))


def _start_dead_letter_jobs(
    context: ProcessContext,
    dead_letters: DeadLetters,
    writer: JournalWriter,
    background: Supervisor,
    leader: Callable[[], bool],
) -> None:
    """The jobs about dead letters, on the leader alone."""
    redrives = RedriveWorker(
        context.redriver(dead_letters),
        dead_letters,
        Redrives(context.database.pool, timeout=context.timeout),
        background.stop,
    )
    alerts = DeadLetterAlerts(dead_letters, after=context.settings.dead_letter_alert_hours * HOUR)
    reports = NonDeliveryReporter(dead_letters, context.catalogues, context.validator, writer)
    for name, run_once, every in (
        ("dead_letters.redrives", redrives.run_once, REDRIVES),
        ("dead_letters.alerts", alerts.run_once, ALERTS),
        ("dead_letters.non_delivery_reports", reports.run_once, REPORTS),
    ):
        background.periodic(name, run_once, every, only_while=leader)


def _start_maintenance(
    context: ProcessContext,
    dead_letters: DeadLetters,
    background: Supervisor,
    leader: Callable[[], bool],
) -> None:
    """Create partitions ahead, rotate signing keys, delete old settlements, keep the witness."""
    settings = context.settings
    witness = WitnessKeeper(context.management, context.reader, context.connect_without_entering)
    background.periodic("journal.witness", witness.run_once, WITNESS, only_while=leader)
    partitions = PartitionCreator(context.connect)
    keys = partial(identity.maintain_signing_keys, context.database, settings)
    background.periodic("journal.partitions", partitions.run_once, HOUR)
    background.periodic("identity.signing_keys", keys, HOUR)
    background.periodic("delivery.retention", dead_letters.forget, HOUR)
