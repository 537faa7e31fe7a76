"""The message that carries an entry."""

from datetime import UTC, datetime, timedelta

from gateway.broker import OutgoingMessage, message, names
from gateway.journal import Entry
from gateway.relay.in_flight import InFlight
from gateway.relay.routing import Route
from gateway.request_reply import deadline, expired, handed_out


def too_late(entry: Entry, route: Route) -> bool:
    """Whether it is a request whose deadline has passed: it is not handed out."""
    return route.exchange == names.REQUESTS and expired(entry.event, entry.recorded)


def within_age(
    message: OutgoingMessage, recorded: datetime, max_age: float | None
) -> OutgoingMessage:
    """The message with what is left of its age as its end."""
    if max_age is None:
        return message
    left = recorded + timedelta(seconds=max_age) - datetime.now(UTC)
    return message._replace(expiration=str(max(1, left // timedelta(milliseconds=1))))


def outgoing(entry: Entry, route: Route, ticket: InFlight, routing_key: str) -> OutgoingMessage:
    """The message that carries an entry; its ticket says until when it may be sent."""
    event, correlation = entry.event, ""
    if route.exchange == names.REQUESTS:
        ticket.until, correlation = deadline(event, entry.recorded), event.identity.hex()
        event = handed_out(event, entry.recorded)
    facts = (*entry.journal_attributes, route.classification)
    return OutgoingMessage(
        route.exchange,
        routing_key,
        True,
        route.bcc,
        message.body(event, *facts),
        event.id,
        message.headers(event, *facts),
        ticket,
        correlation_id=correlation,
    )
