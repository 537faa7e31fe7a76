"""Requests and replies in an api process."""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.base.errors import UnsupportedMediaType
from gateway.base.event import Event
from gateway.base.periodic import Supervisor
from gateway.broker import ReplyQueue
from gateway.journal import JournalWriter, Refusals
from gateway.processes.context import ProcessContext
from gateway.publishing import Batch, Intake, Limits, parse_request, require_valid
from gateway.request_reply import (
    Answering,
    RefusedReplies,
    ReplyConsumer,
    Requester,
    Responders,
    Waiting,
)


@dataclass(frozen=True)
class Requesting:
    """The parts that ask and answer, and what they do in the background."""

    parts: ProcessContext
    waiting: Waiting
    replies: ReplyQueue
    asking: Requester
    answering: Answering

    def start(self, background: Supervisor) -> None:
        """Take replies, and wake those who wait for one, until stopped."""
        arriving = ReplyConsumer(self._parse, self.answering, self.parts.subscriptions)
        declare = self.parts.broker.declare_base
        stop = background.stop
        background.start("requests.waiters", self.waiting.run(stop))
        background.start(
            "requests.replies", self.replies.run(declare, arriving.take, self.waiting.hear, stop)
        )

    def _parse(self, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> Event:
        limit = self.parts.settings.event_limit
        parsed = parse_request(headers, body, Limits(limit, limit, 1))
        if isinstance(parsed, Batch):
            raise UnsupportedMediaType("a reply is one event: send no batch")
        return parsed


def requesting(
    parts: ProcessContext, intake: Intake, writer: JournalWriter, refusals: Refusals
) -> Requesting:
    """Put them together."""
    settings = parts.settings
    waiting = Waiting(parts.reader)
    replies = ReplyQueue(settings.amqp_url.get_secret_value(), name="nusabus-replies")
    responders = Responders(
        parts.database, parts.directories, parts.catalogues, parts.subscriptions
    )
    refused = RefusedReplies(parts.database.pool, timeout=settings.append_timeout)
    asking = Requester(
        intake.judge_request,
        writer,
        parts.reader,
        waiting,
        responders,
        refused,
        parts.directories,
        parts.catalogues,
    )
    answering = Answering(
        require_valid,
        writer,
        parts.reader,
        waiting,
        responders,
        (refusals, refused),
        parts.catalogues,
        replies.announce,
    )
    return Requesting(parts, waiting, replies, asking, answering)
