"""What every process that accepts events opens: snapshots, the journal's writer, and quotas."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from gateway.base.database import DatabaseUnavailable
from gateway.base.loaded_revisions import LoadedRevisions
from gateway.base.periodic import Supervisor
from gateway.journal import HintSender, JournalWriter, Refusals
from gateway.processes.context import ProcessContext, unique_name
from gateway.publishing import EventPublisher
from gateway.quotas import Limiter, QuotaSharing


@asynccontextmanager
async def load_snapshots(context: ProcessContext) -> AsyncIterator[LoadedRevisions]:
    """The snapshots, loaded; at the end no process waits any more until this one has loaded."""
    snapshots = (context.directories, context.catalogues, context.subscriptions)
    loaded = LoadedRevisions(context.database.pool, snapshots, process=unique_name())
    await loaded.report()
    await refresh(context, loaded)
    try:
        yield loaded
    finally:
        with suppress(DatabaseUnavailable):
            await loaded.leave()


async def refresh(context: ProcessContext, loaded: LoadedRevisions) -> None:
    """Update the snapshots, and say which revisions this process has."""
    await context.refresh()
    await loaded.report()


def make_publisher(
    context: ProcessContext, writer: JournalWriter, refusals: Refusals
) -> EventPublisher:
    """The use case that accepts events."""
    return EventPublisher(
        context.directories,
        context.catalogues,
        context.validator,
        writer,
        refusals,
        backlog_limit=context.settings.backlog_limit,
    )


@asynccontextmanager
async def open_stores(
    context: ProcessContext, hints: HintSender, overloaded: Callable[[], bool]
) -> AsyncIterator[tuple[JournalWriter, Refusals]]:
    """The writers of events and refusals. At the end, writes without a confirm are unknown."""
    writer = JournalWriter(
        context.connect,
        shards=len(await context.reader.heads()),
        writers=context.settings.journal_writers,
        timeout=context.timeout,
        reader=context.reader,
        incarnation=context.incarnation,
        on_commit=hints.send,
        overloaded=overloaded,
    )
    refusals = Refusals(context.connect, context.database.pool, timeout=context.timeout)
    writer.start()
    refusals.start()
    try:
        yield writer, refusals
    finally:
        await writer.close()
        await refusals.close()


def start_journal(background: Supervisor, writer: JournalWriter, hints: HintSender) -> None:
    """Start what goes on beside the writer."""
    probe = writer.probe
    background.periodic("journal.probe", probe.run_once, probe.idle, wake=probe.doubts)
    background.start("journal.hint_sender", hints.run(background.stop))


@asynccontextmanager
async def open_quotas(context: ProcessContext) -> AsyncIterator[tuple[Limiter, QuotaSharing]]:
    """The quotas, as the other processes use them now. At the end nothing is held any more."""
    limiter = Limiter(context.directories)
    sharing = QuotaSharing(limiter, context.database.pool, process=unique_name())
    await sharing.run_once()
    try:
        yield limiter, sharing
    finally:
        await sharing.leave()
