"""Takes the replies that come over AMQP."""

from urllib.parse import quote

from gateway.base.errors import Refused, TooLarge
from gateway.base.event import Event
from gateway.base.telemetry import log
from gateway.broker import ReplyMessage, names
from gateway.broker.message import binary_attributes
from gateway.publishing import parse_event
from gateway.request_reply.pairing import identity_of_request
from gateway.request_reply.responder import ReplySender, Responder
from gateway.request_reply.responders import Responders


class ReplyConsumer:
    """Stores the messages of the reply queue as replies. `event_limit` is in bytes."""

    def __init__(self, responder: Responder, responders: Responders, *, event_limit: int) -> None:
        self._responder = responder
        self._responders = responders
        self._event_limit = event_limit

    async def take(self, message: ReplyMessage) -> None:
        """Store a reply, or keep why it was refused. Raises Unavailable if it must come again.

        AMQP has no way to tell the responder: its organisation finds the refusal under
        `/v1/refusals`.
        """
        # The routing key is the responder's queue: the broker lets it publish with no other.
        subscription = self._responders.with_queue(names.owner(message.responder))
        if subscription is None:
            log().warning("reply.unknown_dropped", responder=message.responder)
            return
        sender = ReplySender(subscription.created_by, subscription.organisation, subscription.name)
        reply: Event | Refused
        try:
            reply = self._parsed(message)
        except Refused as error:
            reply = error
        try:
            identity = identity_of_request(message.correlation_id)
            await self._responder.reply(identity, reply, sender)
        except Refused as error:
            log().info("reply.refused", responder=message.responder, reason=error.code)

    def _parsed(self, message: ReplyMessage) -> Event:
        """The reply as an event. Raises Refused."""
        if message.body is None:
            raise TooLarge(f"The reply is larger than {self._event_limit} bytes.")
        return parse_event(_headers(message), message.body, limit=self._event_limit, is_reply=True)


def _headers(message: ReplyMessage) -> list[tuple[bytes, bytes]]:
    """The message as headers of an HTTP request, in structured or binary mode."""
    headers = [(b"content-type", message.content_type.encode())] if message.content_type else []
    return headers + [
        (f"ce-{name}".encode(), quote(str(value)).encode())
        for name, value in binary_attributes(message.headers).items()
    ]
