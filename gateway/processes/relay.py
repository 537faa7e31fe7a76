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
from gateway.processes.context import ProcessContext, calm_collector, common, redriving, stopping
from gateway.relay import ControlPlane, QueueCredit, Relay
from gateway.subscriptions.repair import Reconciler

HOUR = 3600.0
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
        await identity.upkeep(parts.database, settings)
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
        letters = DeadLetters(parts.database.pool, timeout=settings.append_timeout)
        dead = DeadLetterQueue(settings.amqp_url.get_secret_value(), name=f"nusabus-dead-{name}")
        calm_collector()
        async with supervised(stop) as background:
            background.periodic("snapshots", partial(refresh, parts.database, *snapshots), POLL)
            background.start("journal.hints", hints.run(stop))
            background.start("relay", worker.run(stop))
            background.start("reconciler", _reconciler(parts, responsible).run(stop))
            for each in _of_letters(parts, letters, writer, responsible):
                background.start(type(each).__name__, each.run(stop))
            background.start("dead_letters", dead.run(DeadLetterConsumer(letters).keep, stop))
            _upkeep(parts, letters, background)


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


def _of_letters(
    parts: ProcessContext,
    letters: DeadLetters,
    writer: JournalWriter,
    responsible: Callable[[], bool],
) -> tuple[RedriveWorker, DeadLetterAlerts, NonDeliveryReporter]:
    """What goes on about dead letters, in one process at a time."""
    settings = parts.settings
    redrives = Redrives(parts.database.pool, timeout=settings.append_timeout)
    after = settings.dead_letter_alert_hours * HOUR
    return (
        RedriveWorker(redriving(parts, letters), letters, redrives, responsible=responsible),
        DeadLetterAlerts(letters, after=after, responsible=responsible),
        NonDeliveryReporter(letters, parts.catalogues, writer, responsible=responsible),
    )


def _upkeep(parts: ProcessContext, letters: DeadLetters, background: Supervisor) -> None:
    """Partitions for the months to come, keys before they are old; a ledger that does not grow."""
    settings = parts.settings
    keys = partial(identity.upkeep, parts.database, settings)
    retention = partial(letters.forget, settings.ledger_retention_days)
    background.periodic("journal.partitions", PartitionCreator(parts.connect).run_once, UPKEEP)
    background.periodic("identity.signing_keys", keys, UPKEEP)
    background.periodic("delivery.retention", retention, UPKEEP)
