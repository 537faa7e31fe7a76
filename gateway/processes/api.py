"""The api process."""

from gateway import identity
from gateway.base.periodic import supervised
from gateway.base.settings import Settings
from gateway.base.snapshot import POLL
from gateway.contracts import Budget, governance
from gateway.http.admission import WINDOW, Admission
from gateway.http.app import make_app
from gateway.http.context import ApiContext
from gateway.identity import ClientAuthenticator, Tokens
from gateway.journal import RetentionReport
from gateway.processes.context import (
    ProcessContext,
    open_context,
    stop_on_signals,
    tune_garbage_collector,
)
from gateway.processes.delivery import DeliveryContext, make_delivery
from gateway.processes.publishing import Publishing, open_publishing
from gateway.processes.request_reply import RequestReplyContext, make_request_reply
from gateway.processes.server import serve
from gateway.subscriptions import register


async def api(settings: Settings) -> None:
    """Serve HTTP until SIGTERM or SIGINT."""
    async with (
        open_context(settings, "api") as context,
        governance.governance_context(
            context.database,
            context.directories,
            context.reader,
            settings.url,
            register.receiving,
            Budget(settings.event_limit, settings.validation_seconds),
        ) as contracts,
        stop_on_signals(context.incarnation) as stop,
    ):
        await identity.maintain_signing_keys(context.database, settings)
        admission = Admission(settings.requests_in_progress)
        async with open_publishing(context, lambda: admission.overloaded) as publishing:
            publisher, writer = publishing.publisher, publishing.writer
            requests = make_request_reply(context, publisher, writer)
            delivery = make_delivery(context, publisher, writer, stop)
            api_context = _api_context(
                context, admission, publishing, contracts, requests, delivery
            )
            app = make_app(api_context)
            tune_garbage_collector()
            async with supervised(stop) as background:
                publishing.start(background)
                background.periodic("http.open_calls", app.open_calls.recheck, POLL)
                background.periodic("http.admission", admission.adjust, WINDOW)
                requests.start(background)
                delivery.start(background)
                background.start("http", serve(app, settings, stop))


def _api_context(
    context: ProcessContext, admission: Admission, publishing: Publishing,
    contracts: governance.GovernanceContext, requests: RequestReplyContext,
    delivery: DeliveryContext,
) -> ApiContext:  # fmt: skip
    return ApiContext(
        settings=context.settings,
        admission=admission,
        database=context.database,
        tokens=Tokens(context.settings, lambda: context.directories.value),
        authenticator=ClientAuthenticator(context.database, context.settings, context.directories),
        reader=context.reader,
        publisher=publishing.publisher,
        refusals=publishing.refusals,
        retention=RetentionReport(context.database.pool, timeout=context.timeout),
        workers=context.workers,
        subscription_lifecycle=delivery.subscription_lifecycle,
        endpoints=delivery.endpoints,
        registration=governance.ContractRegistration(contracts),
        lifecycle=governance.VersionLifecycle(contracts),
        pull=delivery.receiving.pull,
        stream=delivery.receiving.stream,
        requester=requests.requester,
        responder=requests.responder,
        dead_letters=delivery.dead_letters,
        redriver=delivery.redriver,
        resender=delivery.resender,
        redrives=delivery.redrives,
        ledger=delivery.ledger,
        consumer_reports=delivery.consumer_reports,
        delivery_tester=delivery.delivery_tester,
        directories=context.directories,
        catalogues=context.catalogues,
        subscriptions=context.subscriptions,
        quota_sharing=publishing.quota_sharing,
        loaded=publishing.loaded,
    )
