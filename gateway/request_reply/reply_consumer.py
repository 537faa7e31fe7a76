"""Replies that come over AMQP: who sent them, and what they say."""

from collections.abc import Callable, Sequence
from urllib.parse import quote

from gateway.base.errors import Refused
from gateway.base.event import Event
from gateway.base.snapshot import Snapshot
from gateway.base.telemetry import log
from gateway.broker import ReplyMessage, names
from gateway.broker.message import binary_attributes
from gateway.request_reply.pairing import identity_of_request
from gateway.request_reply.responder import Answering, Responder
from gateway.subscriptions import Subscriptions

Pairs = Sequence[tuple[bytes, bytes]]
Parse = Callable[[Pairs, bytes], Event]
"""Reads an event as from an HTTP request, of headers and body. Raises Refused."""


class ReplyConsumer:
    """What the queue of replies hands its messages to."""

    def __init__(
        self, parse: Parse, answering: Answering, subscriptions: Snapshot[Subscriptions]
    ) -> None:
        self._parse = parse
        self._answering = answering
        self._subscriptions = subscriptions

    async def take(self, message: ReplyMessage) -> None:
        """Store a reply, or keep why it was refused. Raises Unavailable where it must come again.

        AMQP has no way to tell the responder: its organisation finds the refusal under
        `/v1/refusals`.
        """
        responder = self._responder(message.responder)
        if responder is None:
            log().warning("reply.of_nobody", responder=message.responder)
            return
        said: Event | Refused
        try:
            said = self._parse(_pairs(message), message.body)
        except Refused as error:
            said = error
        try:
            await self._answering.reply(
                identity_of_request(message.correlation_id), said, responder
            )
        except Refused as error:
            log().info("reply.refused", responder=message.responder, reason=error.code)

    def _responder(self, queue: str) -> Responder | None:
        """Who publishes with this routing key, which the broker lets that one use and no other."""
        key = names.owner(queue)
        for each in self._subscriptions.value.all:
            if each.key == key and each.is_responder:
                return Responder(each.created_by, each.organisation, each.name)
        return None


def _pairs(message: ReplyMessage) -> Pairs:
    """The message as headers of an HTTP request, in structured or binary mode."""
    pairs = [(b"content-type", message.content_type.encode())] if message.content_type else []
    return pairs + [
        (f"ce-{name}".encode(), quote(str(value)).encode())
        for name, value in binary_attributes(message.headers).items()
    ]
