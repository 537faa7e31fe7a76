"""Requests and replies in an api process."""

from dataclasses import dataclass

from gateway.base.periodic import Supervisor
from gateway.broker import ReplyQueue
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


@dataclass(frozen=True)
class RequestReply:
    """Requester and responder, with their background work."""

    parts: ProcessContext
    waiters: ReplyWaiters
    replies: ReplyQueue
    requester: Requester
    responder: Responder
    consumer: ReplyConsumer

    def start(self, background: Supervisor) -> None:
        """Take replies, and wake the calls that wait for one, until stopped."""
        declare, stop = self.parts.broker.declare_base, background.stop
        background.start("requests.waiters", self.waiters.run(stop))
        background.start(
            "requests.replies",
            self.replies.run(declare, self.consumer.take, self.waiters.announce, stop),
        )


def open_request_reply(
    parts: ProcessContext, publisher: EventPublisher, writer: JournalWriter
) -> RequestReply:
    """Each part made once."""
    settings = parts.settings
    waiters = ReplyWaiters(parts.reader)
    replies = ReplyQueue(settings.amqp_url.get_secret_value(), name="nusabus-replies")
    responders = Responders(
        parts.database, parts.directories, parts.catalogues, parts.subscriptions
    )
    refused = RefusedReplies(parts.database.pool, timeout=settings.append_timeout)
    requester = Requester(
        publisher,
        writer,
        parts.reader,
        waiters,
        responders,
        refused,
        parts.directories,
        parts.catalogues,
    )
    responder = Responder(
        publisher,
        writer,
        parts.reader,
        waiters,
        responders,
        refused,
        parts.catalogues,
        replies.announce,
    )
    consumer = ReplyConsumer(responder, responders, event_limit=settings.event_limit)
    return RequestReply(parts, waiters, replies, requester, responder, consumer)
