"""The deliver process."""

from functools import partial

from gateway.base.database import Topic
from gateway.base.periodic import supervised
from gateway.base.settings import Settings
from gateway.base.snapshot import POLL, Snapshot
from gateway.delivery import JournalScanner
from gateway.delivery.recent_types import RecentTypes
from gateway.delivery.store import Deliveries, DeliveryLeases, DispatchStore
from gateway.delivery.webhook import (
    DispatchContext,
    JournalTail,
    RetrySchedule,
    WebhookConfigs,
    WebhookWorker,
)
from gateway.journal import HintListener
from gateway.processes.context import (
    ProcessContext,
    open_context,
    stop_on_signals,
    tune_garbage_collector,
    unique_name,
)
from gateway.processes.health_server import HealthServer
from gateway.subscriptions import webhooks


async def deliver(settings: Settings) -> None:
    """Deliver to webhooks until SIGTERM or SIGINT."""
    async with (
        open_context(settings, "deliver") as context,
        stop_on_signals(context.incarnation) as stop,
    ):
        endpoints = Snapshot(Topic.SUBSCRIPTIONS, webhooks.load)
        configs = WebhookConfigs(
            context.directories, context.catalogues, context.subscriptions, endpoints
        )
        refresh = partial(context.refresh, endpoints)
        await refresh()
        hints = HintListener(context.connect)
        worker = WebhookWorker(
            settings=settings,
            database=context.database,
            context=_dispatch_context(context),
            leases=DeliveryLeases(
                context.database.pool, name=unique_name(), seconds=settings.lease_seconds
            ),
            hints=hints,
            configs=configs,
        )
        tune_garbage_collector()
        async with supervised(stop) as background:
            background.start("health", HealthServer(settings).run(stop))
            background.periodic("snapshots", refresh, POLL)
            background.start("journal.hint_listener", hints.run(stop))
            background.start("webhooks", worker.run(stop))


def _dispatch_context(context: ProcessContext) -> DispatchContext:
    deliveries = Deliveries(context.database.pool, timeout=context.timeout)
    recent = RecentTypes()
    return DispatchContext(
        context.reader,
        deliveries,
        DispatchStore(context.database.pool, timeout=context.timeout),
        JournalScanner(context.database, context.reader, deliveries, context.catalogues, recent),
        context.catalogues,
        RetrySchedule.parse(context.settings.webhook_retries),
        JournalTail(context.reader, recent),
    )
