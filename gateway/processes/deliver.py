"""The deliver process."""

import os
import secrets
import socket
from functools import partial

from gateway.base.database import Topic
from gateway.base.periodic import supervised
from gateway.base.settings import Settings
from gateway.base.snapshot import POLL, Snapshot, refresh
from gateway.delivery import JournalScanner
from gateway.delivery.store import Deliveries, DeliveryLeases, DispatchStore
from gateway.delivery.webhook import (
    DispatchContext,
    JournalTail,
    RetrySchedule,
    WebhookConfigs,
    WebhookWorker,
    trust,
)
from gateway.journal import HintListener
from gateway.processes.context import ProcessContext, calm_collector, common, stopping
from gateway.subscriptions import webhooks


async def deliver(settings: Settings) -> None:
    """Deliver to webhooks until SIGTERM or SIGINT."""
    name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
    async with common(settings, "deliver") as parts, stopping() as stop:
        endpoints = Snapshot(Topic.SUBSCRIPTIONS, webhooks.load)
        configs = WebhookConfigs(
            parts.directories, parts.catalogues, parts.subscriptions, endpoints
        )
        snapshots = (parts.directories, parts.catalogues, parts.subscriptions, endpoints)
        await refresh(parts.database, *snapshots)
        hints = HintListener(parts.connect)
        worker = WebhookWorker(
            settings=settings,
            database=parts.database,
            context=_context(parts),
            leases=DeliveryLeases(parts.database.pool, name=name, seconds=settings.lease_seconds),
            hints=hints,
            configs=configs,
            trusted=trust(settings.webhook_ca_file),
        )
        calm_collector()
        async with supervised(stop) as background:
            background.periodic("snapshots", partial(refresh, parts.database, *snapshots), POLL)
            background.start("journal.hints", hints.run(stop))
            background.start("deliver", worker.run(stop))


def _context(parts: ProcessContext) -> DispatchContext:
    timeout = parts.settings.append_timeout
    deliveries = Deliveries(parts.database.pool, timeout=timeout)
    return DispatchContext(
        parts.reader,
        deliveries,
        DispatchStore(parts.database.pool, timeout=timeout),
        JournalScanner(parts.database, parts.reader, deliveries, parts.catalogues),
        parts.catalogues,
        RetrySchedule.parse(parts.settings.webhook_retries),
        JournalTail(parts.reader),
    )
