"""All names at the broker are made here.

A name has at most 255 bytes (AMQP 0-9-1, short string). The names of organisations and
subscriptions contain no dots, so that a queue name can be split into them again.
"""

import re

from gateway.base.errors import Invalid

LIMIT = 255
"""Bytes of a short string: exchange, queue, routing key, header name, message id."""

EVENTS = "bus.events"
"""Topic exchange of publish/subscribe contracts; the routing key is the event type."""

COMMANDS = "bus.commands"
"""Direct exchange of point-to-point contracts; the routing key is the event type."""

REQUESTS = "bus.requests"
"""Direct exchange of request/reply contracts; the routing key is the event type."""

CALLBACKS = "bus.callbacks"
"""Direct exchange that carries replies to callbacks. Queues are bound by their private keys alone:
no queue is bound to the routing key, which is the type of the reply."""

REPLIES = "bus.replies"
"""Topic exchange that takes replies; the routing key is the queue of the responder, and the broker
lets a responder publish with no other."""

REPLY_QUEUE = "bus.replies"
"""The queue of replies, which every api process consumes."""

ANSWERED = "bus.answered"
"""Fanout exchange on which an api process announces which requests it has answered."""

DEAD = "bus.dead"
"""Topic exchange of dead letters; the routing key is the queue that dead-lettered the message."""

DEAD_QUEUE = "bus.dead"
"""The queue that holds the dead letters of every subscription."""

WITNESS = "nusabus-journal"
"""Global parameter, `nusabus-journal-<virtual host>`: how far the journal has come."""

_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*", re.ASCII)
_PRIVATE = "to."
_LAST_GENERATION = 2**31 - 1  # an integer of PostgreSQL


def queue(organisation: str, subscription: str) -> str:
    """`sub.<organisation>.<subscription>`: the queue of an AMQP subscription.

    Raises Invalid if a part is not one word or the private key would exceed the limit.
    """
    for word in (organisation, subscription):
        if not _WORD.fullmatch(word):
            raise Invalid(
                f"{word!r} cannot be part of a queue name. Use letters, digits, '-' and '_'."
            )
    name = f"sub.{organisation}.{subscription}"
    if len(private_key(name, _LAST_GENERATION)) > LIMIT:
        raise Invalid(f"The names of organisation and subscription exceed {LIMIT} bytes together.")
    return name


def owner(queue: str) -> tuple[str, str] | None:
    """Organisation and subscription of a queue; None if it belongs to no subscription."""
    kind, _, rest = queue.partition(".")
    organisation, _, subscription = rest.partition(".")
    if kind == "sub" and _WORD.fullmatch(organisation) and _WORD.fullmatch(subscription):
        return organisation, subscription
    return None


def user(queue: str) -> str:
    """`sub.<organisation>.<subscription>`: the broker user, named like the queue that it reads."""
    return queue


def exchange(*, point_to_point: bool, is_responder: bool, is_callback: bool) -> str:
    """The exchange that a subscription's queue is bound to."""
    if is_responder:
        return REQUESTS
    if is_callback:
        return CALLBACKS
    return COMMANDS if point_to_point else EVENTS


def private_key(queue: str, generation: int) -> str:
    """`to.<queue>.<generation>`: the routing key, on every exchange, that reaches this queue alone.

    Each backfill of a queue has a key of its own: messages still on their way with the key before
    would arrive ahead of older ones. No event type is a private key: types begin with `id.`, and
    patterns with `id.go.`.
    """
    return f"{_PRIVATE}{queue}.{generation}"


def header(attribute: str) -> str:
    """`ce-<attribute>`: the message header that repeats a CloudEvents attribute."""
    return f"ce-{attribute}"
