"""What every process that accepts events has: snapshots, the journal's writer, and quotas."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial

from gateway.base.database import DatabaseUnavailable
from gateway.base.loaded_revisions import LoadedRevisions
from gateway.base.periodic import Supervisor
from gateway.base.snapshot import POLL
from gateway.journal import HintSender, JournalWriter, Refusals
from gateway.processes.context import ProcessContext, unique_name
from gateway.publishing import EventPublisher
from gateway.quotas import EVERY, Limiter, QuotaSharing


@dataclass(frozen=True, slots=True)
class Publishing:
    """What accepts events, opened and loaded."""

    context: ProcessContext
    loaded: LoadedRevisions
    hints: HintSender
    writer: JournalWriter
    refusals: Refusals
    limiter: Limiter
    quota_sharing: QuotaSharing
    publisher: EventPublisher

    def start(self, background: Supervisor) -> None:
        """Start what goes on beside the calls."""
        probe = self.writer.probe
        backlog = partial(self.publisher.update_backlog, self.context.reader)
        background.periodic("snapshots", self._refresh, POLL)
        background.periodic("publishing.backlog", backlog, POLL)
        background.periodic("quotas.sharing", self.quota_sharing.run_once, EVERY)
        background.periodic("journal.probe", probe.run_once, probe.idle, wake=probe.doubts)
        background.start("journal.hint_sender", self.hints.run(background.stop))

    async def _refresh(self) -> None:
        await _refresh(self.context, self.loaded)


@asynccontextmanager
async def open_publishing(
    context: ProcessContext, overloaded: Callable[[], bool] = lambda: False
) -> AsyncIterator[Publishing]:
    """Open all of it. `overloaded` says whether the process has too much to do.

    At the end, writes without a confirm are unknown, and no other process waits for this one.
    """
    hints = HintSender(context.connect)
    async with AsyncExitStack() as opened:
        loaded = await opened.enter_async_context(_load_snapshots(context))
        writer, refusals = await opened.enter_async_context(
            _open_stores(context, hints, overloaded)
        )
        limiter, sharing = await opened.enter_async_context(_open_quotas(context))
        publisher = EventPublisher(
            context.directories,
            context.catalogues,
            context.validator,
            writer,
            refusals,
            backlog_limit=context.settings.backlog_limit,
        )
        yield Publishing(context, loaded, hints, writer, refusals, limiter, sharing, publisher)


@asynccontextmanager
async def _load_snapshots(context: ProcessContext) -> AsyncIterator[LoadedRevisions]:
    """The snapshots, loaded; at the end no process waits any more until this one has loaded."""
    snapshots = (context.directories, context.catalogues, context.subscriptions)
    loaded = LoadedRevisions(context.database.pool, snapshots, process=unique_name())
    await loaded.report()
    await _refresh(context, loaded)
    try:
        yield loaded
    finally:
        with suppress(DatabaseUnavailable):
            await loaded.leave()


async def _refresh(context: ProcessContext, loaded: LoadedRevisions) -> None:
    """Update the snapshots, and say which revisions this process has."""
    await context.refresh()
    await loaded.report()


@asynccontextmanager
async def _open_stores(
    context: ProcessContext, hints: HintSender, overloaded: Callable[[], bool]
) -> AsyncIterator[tuple[JournalWriter, Refusals]]:
    """The writers of events and refusals."""
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


@asynccontextmanager
async def _open_quotas(context: ProcessContext) -> AsyncIterator[tuple[Limiter, QuotaSharing]]:
    """The quotas, as the other processes use them now. At the end nothing is held any more."""
    limiter = Limiter(context.directories)
    sharing = QuotaSharing(limiter, context.database.pool, process=unique_name())
    await sharing.run_once()
    try:
        yield limiter, sharing
    finally:
        await sharing.leave()
