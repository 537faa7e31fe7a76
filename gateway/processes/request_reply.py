"""Requests and replies in an api process."""

from dataclasses import dataclass

from gateway.base.periodic import Supervisor
from gateway.broker import Broker, ReplyQueue
from gateway.journal import JournalWriter
from gateway.processes.context import ProcessContext
from gateway.publishing import EventPublisher
from gateway.request_reply import (
    RefusedReplies,
    ReplyConsumer,
    ReplyWaiters,
    Requester,
    Responder,
    Responders,
)


@dataclass(frozen=True, slots=True)
class RequestReplyContext:
    """The use cases of requester and responder."""

    broker: Broker
    waiters: ReplyWaiters
    replies: ReplyQueue
    requester: Requester
    responder: Responder
    consumer: ReplyConsumer

    def start(self, background: Supervisor) -> None:
        """Consume replies, and wake the calls that wait for one."""
        background.start("requests.waiters", self.waiters.run(background.stop))
        background.start(
            "requests.replies",
            self.replies.run(
                self.broker.declare_base,
                self.consumer.take,
                self.waiters.announce,
                background.stop,
            ),
        )


def make_request_reply(
    context: ProcessContext, publisher: EventPublisher, writer: JournalWriter
) -> RequestReplyContext:
    """Construct the use cases, each once."""
    database, reader = context.database, context.reader
    waiters = ReplyWaiters(reader)
    limit = context.settings.event_limit
    replies = ReplyQueue(context.amqp_url, name="nusabus-replies", limit=limit)
    responders = Responders(
        database, context.directories, context.catalogues, context.subscriptions
    )
    refused = RefusedReplies(database.pool, timeout=context.timeout)
    requester = Requester(
        publisher,
        writer,
        reader,
        waiters,
        responders,
        refused,
        context.catalogues,
    )
    responder = Responder(
        publisher,
        writer,
        reader,
        waiters,
        responders,
        refused,
        context.catalogues,
        replies.announce,
    )
    consumer = ReplyConsumer(responder, responders, event_limit=limit)
    return RequestReplyContext(context.broker, waiters, replies, requester, responder, consumer)
