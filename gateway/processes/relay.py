"""The relay process."""

import os
import secrets
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

from gateway import identity
from gateway.base.periodic import Supervisor, supervised
from gateway.base.settings import Settings
from gateway.base.snapshot import POLL, refresh
from gateway.broker import Broker, DeadLetterQueue
from gateway.delivery import (
    DeadLetterAlerts,
    DeadLetterConsumer,
    NonDeliveryReporter,
    RedriveWorker,
)
from gateway.delivery.store import DeadLetters, Redrives
from gateway.journal import HintListener, JournalWriter, PartitionCreator, ShardLeases
from gateway.processes.context import (
    ProcessContext,
    calm_collector,
    common,
    make_redriver,
    stopping,
)
from gateway.relay import ControlPlane, QueueCredit, Relay
from gateway.subscriptions.reconciler import Reconciler

HOUR = 3600.0
REDRIVES, REPORTS, ALERTS = 0.5, 1.0, 5.0  # seconds between two runs of these jobs
UPKEEP = HOUR  # seconds between two looks at partitions and keys


async def relay(settings: Settings) -> None:
    """Relay the journal and keep the broker in order until SIGTERM or SIGINT."""
    name = settings.relay_name or f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
    async with (
        common(settings, "relay") as parts,
        _writing(parts) as writer,
        _queue_credit(parts, name) as queue_credit,
        stopping() as stop,
    ):
        snapshots = (parts.directories, parts.catalogues, parts.subscriptions)
        await identity.maintain_signing_keys(parts.database, settings)
        await refresh(parts.database, *snapshots)
        hints = HintListener(parts.connect)
        worker = Relay(
            settings=settings,
            name=name,
            database=parts.database,
            reader=parts.reader,
            leases=ShardLeases(parts.database.pool, name=name, seconds=settings.lease_seconds),
            hints=hints,
            control_plane=ControlPlane(parts.database, parts.catalogues, parts.subscriptions),
            queue_credit=queue_credit,
        )
        responsible = partial(worker.holds_shard, 0)
        dead_letters = DeadLetters(parts.database.pool, timeout=settings.append_timeout)
        dead = DeadLetterQueue(settings.amqp_url.get_secret_value(), name=f"nusabus-dead-{name}")
        calm_collector()
        async with supervised(stop) as background:
            background.periodic("snapshots", partial(refresh, parts.database, *snapshots), POLL)
            background.start("journal.hints", hints.run(stop))
            background.start("relay", worker.run(stop))
            background.start("reconciler", _reconciler(parts, responsible).run(stop))
            _start_dead_letters(parts, dead_letters, writer, background, only_while=responsible)
            consumer = DeadLetterConsumer(dead_letters)
            background.start("dead_letters", dead.run(consumer.consume, stop))
            _upkeep(parts, dead_letters, background)


@asynccontextmanager
async def _writing(parts: ProcessContext) -> AsyncIterator[JournalWriter]:
    """For the few events that the gateway says itself."""
    shards = len(await parts.reader.heads())
    timeout = parts.settings.append_timeout
    writer = JournalWriter(parts.connect, shards=shards, writers=1, timeout=timeout)
    writer.start()
    try:
        yield writer
    finally:
        await writer.close()


def _reconciler(parts: ProcessContext, responsible: Callable[[], bool]) -> Reconciler:
    return Reconciler(
        parts.database,
        parts.reader,
        parts.broker,
        parts.management,
        (parts.directories, parts.catalogues, parts.subscriptions),
        responsible=responsible,
        settings=parts.settings,
    )


@asynccontextmanager
async def _queue_credit(parts: ProcessContext, name: str) -> AsyncIterator[QueueCredit]:
    """On a connection of its own: the reconciler's work is not to wait for what is asked here."""
    amqp_url = parts.settings.amqp_url.get_secret_value()
    broker = Broker(amqp_url, name=f"nusabus-depths-{name}")
    shards = len(await parts.reader.heads())
    try:
        yield QueueCredit(broker, low=parts.settings.queue_depth_limit // 2, shards=shards)
    finally:
        await broker.close()


def _start_dead_letters(
    parts: ProcessContext,
    dead_letters: DeadLetters,
    writer: JournalWriter,
    background: Supervisor,
    *,
    only_while: Callable[[], bool],
) -> None:
    """The jobs about dead letters, which the leader does."""
    settings = parts.settings
    redrives = RedriveWorker(
        make_redriver(parts, dead_letters),
        dead_letters,
        Redrives(parts.database.pool, timeout=settings.append_timeout),
        background.stop,
    )
    alerts = DeadLetterAlerts(dead_letters, after=settings.dead_letter_alert_hours * HOUR)
    reports = NonDeliveryReporter(dead_letters, parts.catalogues, writer)
    for name, run_once, every in (
        ("dead_letters.redrives", redrives.run_once, REDRIVES),
        ("dead_letters.alerts", alerts.run_once, ALERTS),
        ("dead_letters.non_delivery_reports", reports.run_once, REPORTS),
    ):
        background.periodic(name, run_once, every, only_while=only_while)


def _upkeep(parts: ProcessContext, dead_letters: DeadLetters, background: Supervisor) -> None:
    """Partitions for the months to come, keys before they are old; a ledger that does not grow."""
    settings = parts.settings
    keys = partial(identity.maintain_signing_keys, parts.database, settings)
    retention = partial(dead_letters.forget, settings.ledger_retention_days)
    background.periodic("journal.partitions", PartitionCreator(parts.connect).run_once, UPKEEP)
    background.periodic("identity.signing_keys", keys, UPKEEP)
    background.periodic("delivery.retention", retention, UPKEEP)
