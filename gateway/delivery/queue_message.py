"""The message that puts one entry into the queue of one AMQP subscription, and into no other."""

from gateway.broker import OutgoingMessage, message
from gateway.journal import Entry
from gateway.subscriptions import Subscription
from gateway.subscriptions.routing import exchange_of, private_key


def message_to_queue(
    subscription: Subscription, entry: Entry, classification: str | None, token: object
) -> OutgoingMessage:
    """Address an entry to the subscription by its private key.

    `token` identifies the message when the broker has confirmed it.
    """
    attributes = (*entry.journal_attributes, classification)
    return OutgoingMessage(
        exchange_of(subscription),
        private_key(subscription),
        True,
        (),
        message.body(entry.event, *attributes),
        entry.event.id,
        message.headers(entry.event, *attributes),
        token,
    )
