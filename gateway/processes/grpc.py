"""The grpc process."""

from functools import partial

from gateway.base.fair_limit import FairLimit
from gateway.base.loaded_revisions import LoadedRevisions
from gateway.base.periodic import Supervisor, supervised
from gateway.base.settings import Settings
from gateway.base.snapshot import POLL
from gateway.base.stop import Stop
from gateway.grpc.context import GrpcContext
from gateway.identity import Tokens
from gateway.journal import Checkpoints, HintSender, Refusals
from gateway.processes.context import (
    ProcessContext,
    open_context,
    stop_on_signals,
    tune_garbage_collector,
)
from gateway.processes.grpc_server import GrpcServer
from gateway.processes.health_server import HealthServer
from gateway.processes.publishing import (
    load_snapshots,
    make_publisher,
    open_quotas,
    open_stores,
    refresh,
    start_journal,
)
from gateway.publishing import EventPublisher, Limits
from gateway.quotas import EVERY, Limiter

HOUR = 3600.0


async def grpc(settings: Settings) -> None:
    """Serve gRPC until SIGTERM or SIGINT."""
    async with (
        open_context(settings, "grpc") as context,
        stop_on_signals(context.incarnation) as stop,
    ):
        hints = HintSender(context.connect)
        async with (
            load_snapshots(context) as loaded,
            open_stores(context, hints, lambda: False) as (writer, refusals),
            open_quotas(context) as (limiter, sharing),
        ):
            publisher = make_publisher(context, writer, refusals)
            grpc_context = _grpc_context(context, publisher, refusals, limiter, stop)
            server = GrpcServer(grpc_context)
            tune_garbage_collector()
            async with supervised(stop) as background:
                background.start("health", HealthServer(settings).run(stop))
                start_journal(background, writer, hints)
                background.periodic("quotas.sharing", sharing.run_once, EVERY)
                _start_looks(background, context, loaded, grpc_context)
                background.periodic("grpc.health", server.update_health, POLL)
                background.start("grpc", server.run(stop))


def _start_looks(
    background: Supervisor,
    context: ProcessContext,
    loaded: LoadedRevisions,
    grpc_context: GrpcContext,
) -> None:
    """What is looked up again and again."""
    backlog = partial(grpc_context.publisher.update_backlog, context.reader)
    background.periodic("snapshots", partial(refresh, context, loaded), POLL)
    background.periodic("publishing.backlog", backlog, POLL)
    background.periodic("journal.checkpoints", grpc_context.checkpoints.forget, HOUR)


def _grpc_context(
    context: ProcessContext,
    publisher: EventPublisher,
    refusals: Refusals,
    limiter: Limiter,
    stop: Stop,
) -> GrpcContext:
    settings = context.settings
    return GrpcContext(
        settings=settings,
        database=context.database,
        tokens=Tokens(settings, lambda: context.directories.value),
        directories=context.directories,
        publisher=publisher,
        refusals=refusals,
        checkpoints=Checkpoints(context.database.pool, timeout=context.timeout),
        limiter=limiter,
        stop=stop,
        calls=FairLimit(settings.grpc_calls),
        limits=Limits(settings.event_limit, settings.batch_limit, settings.batch_events),
    )
