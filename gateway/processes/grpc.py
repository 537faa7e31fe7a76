"""The grpc process."""

from gateway.base.fair_limit import FairLimit
from gateway.base.periodic import supervised
from gateway.base.settings import Settings
from gateway.base.snapshot import POLL
from gateway.base.stop import Stop
from gateway.grpc.context import GrpcContext
from gateway.identity import Tokens
from gateway.journal import Checkpoints
from gateway.processes.context import (
    ProcessContext,
    open_context,
    stop_on_signals,
    tune_garbage_collector,
)
from gateway.processes.delivery import ReceivingContext, make_receiving
from gateway.processes.grpc_server import GrpcServer
from gateway.processes.health_server import HealthServer
from gateway.processes.publishing import Publishing, open_publishing
from gateway.processes.request_reply import RequestReplyContext, make_request_reply
from gateway.publishing import Limits

HOUR = 3600.0


async def grpc(settings: Settings) -> None:
    """Serve gRPC until SIGTERM or SIGINT."""
    async with (
        open_context(settings, "grpc") as context,
        stop_on_signals(context.incarnation) as stop,
        open_publishing(context) as publishing,
    ):
        receiving = make_receiving(context, publishing.writer, stop)
        requests = make_request_reply(context, publishing.publisher, publishing.writer)
        grpc_context = _grpc_context(context, publishing, receiving, requests, stop)
        server = GrpcServer(grpc_context)
        tune_garbage_collector()
        async with supervised(stop) as background:
            background.start("health", HealthServer(settings).run(stop))
            publishing.start(background)
            receiving.start(background)
            requests.start(background)
            background.periodic("journal.checkpoints", grpc_context.checkpoints.forget, HOUR)
            background.periodic("grpc.health", server.update_health, POLL)
            background.start("grpc", server.run(stop))


def _grpc_context(
    context: ProcessContext,
    publishing: Publishing,
    receiving: ReceivingContext,
    requests: RequestReplyContext,
    stop: Stop,
) -> GrpcContext:
    settings = context.settings
    return GrpcContext(
        settings=settings,
        database=context.database,
        tokens=Tokens(settings, lambda: context.directories.value),
        directories=context.directories,
        catalogues=context.catalogues,
        publisher=publishing.publisher,
        refusals=publishing.refusals,
        checkpoints=Checkpoints(context.database.pool, timeout=context.timeout),
        limiter=publishing.limiter,
        pull=receiving.pull,
        stream=receiving.stream,
        wakeups=receiving.wakeups,
        requester=requests.requester,
        responder=requests.responder,
        stop=stop,
        calls=FairLimit(settings.grpc_calls),
        limits=Limits(settings.event_limit, settings.batch_limit, settings.batch_events),
    )
