"""`python -m gateway journal recover`: by the operator, after a backup was restored."""

from gateway.base.settings import Settings
from gateway.broker import names
from gateway.journal import JournalWriter
from gateway.processes.context import open_context
from gateway.relay import Recovery, RecoveryReport


async def recover(settings: Settings, *, publish: bool) -> list[str]:
    """The report, line by line. With `publish` what is missing is published again."""
    async with open_context(settings, "recover") as context:
        await context.refresh()
        writer = JournalWriter(
            context.connect,
            shards=len(await context.reader.heads()),
            writers=1,
            timeout=context.timeout,
            reader=context.reader,
            incarnation=context.incarnation,
        )
        known = {names.queue(*each.key) for each in context.subscriptions.value.all}
        writer.start()
        try:
            report = await Recovery(
                context.amqp_url,
                context.management,
                context.reader,
                writer,
                context.catalogues.value,
                known.__contains__,
            ).run(publish=publish)
        finally:
            await writer.close()
        if publish:
            await context.reader.set_recovered(report.incarnation)
        return _lines(report, publish=publish)


def _lines(report: RecoveryReport, *, publish: bool) -> list[str]:
    return [
        f"The journal is in incarnation {report.incarnation}.",
        *(
            f"Queue {queue} holds {count} messages beyond the journal."
            for queue, count in sorted(report.beyond.items())
        ),
        *(
            f"Queue {queue} belongs to no subscription of this database. "
            + (
                "It is deleted in a minute, unless the subscription is made again."
                if publish
                else "It is kept until you recover with --publish."
            )
            for queue in report.unknown_queues
        ),
        f"Events that the journal has again: {report.present}.",
        f"Events that the journal lacks: {report.missing}.",
        *(
            f"Not publishable: {count} of {type}, without a contract, or a request or reply."
            for type, count in sorted(report.not_publishable.items())
        ),
        f"Published again: {report.published}."
        if publish
        else "Nothing was published. Repeat it with --publish.",
    ]
