"""The api process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from gateway import identity
from gateway.base.periodic import supervised
from gateway.base.settings import Settings
from gateway.base.snapshot import POLL, refresh
from gateway.contracts import governance
from gateway.http.app import make_app
from gateway.http.context import ApiContext
from gateway.identity import ClientAuthenticator, Tokens
from gateway.journal import HintListener, HintSender, JournalWriter, Refusals
from gateway.processes.context import ProcessContext, calm_collector, common, stopping
from gateway.processes.request_reply import RequestReply, open_request_reply
from gateway.processes.server import serve
from gateway.processes.subscriptions import Serving, serve_subscriptions
from gateway.publishing import EventPublisher
from gateway.subscriptions import register

METRICS_EVERY = 5.0  # seconds between two updates of the metrics of dead letters


async def api(settings: Settings) -> None:
    """Serve HTTP until SIGTERM or SIGINT."""
    async with (
        common(settings, "api") as parts,
        governance.governance_context(
            parts.database, parts.directories, parts.reader, settings.url, register.receiving
        ) as contracts,
        stopping() as stop,
    ):
        await identity.maintain_signing_keys(parts.database, settings)
        snapshots = (parts.directories, parts.catalogues, parts.subscriptions)
        await refresh(parts.database, *snapshots)
        hints, heard = HintSender(parts.connect), HintListener(parts.connect)
        async with _stores(parts, hints) as (writer, refusals):
            publisher = EventPublisher(
                parts.directories,
                parts.catalogues,
                writer,
                refusals,
                backlog_limit=settings.backlog_limit,
            )
            requests = open_request_reply(parts, publisher, writer)
            serving = serve_subscriptions(parts, publisher, writer, heard, stop)
            app = make_app(_api_context(parts, refusals, publisher, contracts, requests, serving))
            calm_collector()
            async with supervised(stop) as background:
                background.periodic("snapshots", partial(refresh, parts.database, *snapshots), POLL)
                background.periodic(
                    "publishing.backlog", partial(publisher.update_backlog, parts.reader), POLL
                )
                requests.start(background)
                background.start("journal.hint_sender", hints.run(stop))
                background.start("journal.hints", heard.run(stop))
                background.periodic(
                    "dead_letters.metrics", serving.dead_letter_metrics.run_once, METRICS_EVERY
                )
                background.start("delivery.wakeups", serving.wakeups.run(stop))
                background.start("http", serve(app, settings, stop))


@asynccontextmanager
async def _stores(
    parts: ProcessContext, hints: HintSender
) -> AsyncIterator[tuple[JournalWriter, Refusals]]:
    """What events and refusals are stored by; at the end what is not confirmed is unknown."""
    settings = parts.settings
    writer = JournalWriter(
        parts.connect,
        shards=len(await parts.reader.heads()),
        writers=settings.journal_writers,
        timeout=settings.append_timeout,
        on_commit=hints.send,
    )
    refusals = Refusals(parts.connect, parts.database.pool, timeout=settings.append_timeout)
    writer.start()
    refusals.start()
    try:
        yield writer, refusals
    finally:
        await writer.close()
        await refusals.close()


def _api_context(
    parts: ProcessContext,
    refusals: Refusals,
    publisher: EventPublisher,
    contracts: governance.GovernanceContext,
    requests: RequestReply,
    serving: Serving,
) -> ApiContext:
    return ApiContext(
        settings=parts.settings,
        database=parts.database,
        tokens=Tokens(parts.settings, lambda: parts.directories.value),
        authenticator=ClientAuthenticator(parts.database, parts.settings),
        reader=parts.reader,
        refusals=refusals,
        publisher=publisher,
        subscription_lifecycle=serving.subscription_lifecycle,
        endpoints=serving.endpoints,
        registration=governance.ContractRegistration(contracts),
        lifecycle=governance.VersionLifecycle(contracts),
        pull=serving.pull,
        stream=serving.stream,
        requester=requests.requester,
        responder=requests.responder,
        dead_letters=serving.dead_letters,
        redriver=serving.redriver,
        resender=serving.resender,
        redrives=serving.redrives,
        ledger=serving.ledger,
        consumer_reports=serving.consumer_reports,
        delivery_tester=serving.delivery_tester,
        directories=parts.directories,
        catalogues=parts.catalogues,
        subscriptions=parts.subscriptions,
    )
