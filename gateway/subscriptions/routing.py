"""How a subscription is reached: its exchange and the routing keys of its queue."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from gateway.base import type_pattern
from gateway.broker import names
from gateway.contracts import Catalogue, Pattern
from gateway.subscriptions.values import Subscription

_TOPIC = {names.EVENTS_TOPIC}


class Binding(NamedTuple):
    """What binds a queue: an exchange and a routing key."""

    exchange: str
    key: str


def routed_by(subscription: Subscription, type: str, catalogue: Catalogue) -> bool:
    """Whether events of a type take the route by which the subscription is reached.

    A pattern of types does not match events that take another route: `id.go.dukcapil.**` gets the
    publish-subscribe events below it, but no requests. False where the type has no contract.
    """
    contract = catalogue.contract(type_pattern.request_type(type))
    if contract is None:
        return False
    if type_pattern.is_reply(type):
        return subscription.is_callback
    return contract.pattern is Pattern.of(
        point_to_point=subscription.point_to_point, is_responder=subscription.is_responder
    )


def exchange_of(subscription: Subscription) -> str:
    """The exchange for a message to its queue alone."""
    return names.exchange(
        point_to_point=subscription.point_to_point,
        is_responder=subscription.is_responder,
        is_callback=subscription.is_callback,
    )


def exchanges_of(subscription: Subscription) -> Sequence[str]:
    """The exchanges that its queue is bound to, to each alike: a message takes any one of them."""
    first = exchange_of(subscription)
    return (first, names.EVENTS_TOPIC) if first == names.EVENTS else (first,)


def private_key(subscription: Subscription) -> str:
    """The routing key that reaches its queue alone, in its present generation."""
    return names.private_key(names.queue(*subscription.key), subscription.generation)


def private_bindings(subscription: Subscription) -> set[Binding]:
    """The bindings of its queue to its private key."""
    key = private_key(subscription)
    return {Binding(exchange, key) for exchange in exchanges_of(subscription)}


def following(subscription: Subscription) -> Subscription:
    """The subscription in the generation to come.

    Its private bindings are made before that begins (`queues.restart_backfill`): who saw the
    subscription before that must not take them for foreign ones.
    """
    return replace(subscription, generation=subscription.generation + 1)


def type_bindings(subscription: Subscription) -> set[Binding]:
    """The bindings of its queue to its types; none where the relay filters for it.

    In a direct exchange a pattern is a key as it is written: the relay adds it to the messages of
    types that it matches.
    """
    if subscription.filtered:
        return set()
    return {
        Binding(exchange, type_pattern.to_topic_binding(types) if exchange in _TOPIC else types)
        for exchange in exchanges_of(subscription)
        for types in subscription.types
    }


def bindings_at(exchange: str, subscription: Subscription) -> int:
    """How many bindings an exchange has for it once it is active."""
    if subscription.journal_delivered or exchange not in exchanges_of(subscription):
        return 0
    return 1 if subscription.filtered else 1 + len(subscription.types)


def patterns_of(subscriptions: Iterable[Subscription], type: str) -> tuple[str, ...]:
    """The patterns by which unfiltered subscriptions want a type, each once."""
    wanted = {types for each in subscriptions for types in each.types if types != type}
    return tuple(sorted(each for each in wanted if type_pattern.matches(each, type)))
