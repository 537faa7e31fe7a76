"""The message that carries an entry."""

from gateway.amqp import Outgoing, message
from gateway.journal import Entry, sequence_text
from gateway.relay.routes import Route
from gateway.relay.window import Ticket


def outgoing(entry: Entry, route: Route, ticket: Ticket, routing_key: str) -> Outgoing:
    """The message that carries an entry."""
    event = entry.event
    sequence = sequence_text(entry.shard, entry.sequence)
    recorded = rfc3339(entry)
    return Outgoing(
        route.exchange,
        routing_key,
        True,
        route.bcc,
        message.body(event, sequence, recorded, route.classification),
        event.id,
        message.headers(event, sequence, recorded, route.classification),
        ticket,
    )


def rfc3339(entry: Entry) -> str:
    """When an entry was recorded, as RFC 3339 in UTC."""
    return f"{entry.recorded.replace(tzinfo=None).isoformat()}Z"
