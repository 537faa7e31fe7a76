"""The message that carries an entry."""

from gateway.amqp import Outgoing, message
from gateway.journal import Entry, sequence_text
from gateway.relay.routes import Route
from gateway.relay.window import Ticket
from gateway.times import rfc3339


def outgoing(entry: Entry, route: Route, ticket: Ticket, routing_key: str) -> Outgoing:
    """The message that carries an entry."""
    event = entry.event
    sequence = sequence_text(entry.shard, entry.sequence)
    recorded = rfc3339(entry.recorded)
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
