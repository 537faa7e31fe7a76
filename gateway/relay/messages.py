"""The message that carries an entry."""

from datetime import UTC, datetime, timedelta

from gateway.broker import OutgoingMessage, message, names
from gateway.journal import Entry
from gateway.relay.in_flight import InFlight
from gateway.relay.routing import Route
from gateway.request_reply import deadline, expired, outgoing_request


def past_deadline(entry: Entry, route: Route) -> bool:
    """Whether the entry is a request whose deadline has passed: it is not sent."""
    return route.exchange == names.REQUESTS and expired(entry.event, entry.recorded)


def limit_age(
    message: OutgoingMessage, recorded: datetime, max_age: float | None
) -> OutgoingMessage:
    """The message, to expire `max_age` seconds after the entry was recorded."""
    if max_age is None:
        return message
    left = recorded + timedelta(seconds=max_age) - datetime.now(UTC)
    return message._replace(expiration=str(max(1, left // timedelta(milliseconds=1))))


def make_message(
    entry: Entry, route: Route, in_flight: InFlight, routing_key: str
) -> OutgoingMessage:
    """The message that carries an entry. Sets the deadline of `in_flight` for a request."""
    event, correlation = entry.event, ""
    if route.exchange == names.REQUESTS:
        in_flight.deadline, correlation = deadline(event, entry.recorded), event.identity.hex()
        event = outgoing_request(event, entry.recorded)
    attributes = (*entry.journal_attributes, route.classification)
    return OutgoingMessage(
        route.exchange,
        routing_key,
        True,
        route.bcc,
        message.body(event, *attributes),
        event.id,
        message.headers(event, *attributes),
        in_flight,
        correlation_id=correlation,
    )
