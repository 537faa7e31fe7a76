"""How a subscription is reached: its exchange and the routing keys of its queue."""

from collections.abc import Sequence
from dataclasses import replace

from gateway.base import type_pattern
from gateway.broker import names
from gateway.contracts import Catalogue, Pattern
from gateway.subscriptions.values import Subscription


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
    """The exchange to which its queue is bound."""
    return names.exchange(
        point_to_point=subscription.point_to_point,
        is_responder=subscription.is_responder,
        is_callback=subscription.is_callback,
    )


def private_key(subscription: Subscription) -> str:
    """The routing key that reaches its queue alone, in its present generation."""
    return names.private_key(names.queue(*subscription.key), subscription.generation)


def private_keys(subscription: Subscription) -> set[str]:
    """Its private key, and that of the generation to come.

    That is bound before the generation begins (`queues.restart_backfill`), so who saw the
    subscription before that must not take the binding for one too many.
    """
    following = replace(subscription, generation=subscription.generation + 1)
    return {private_key(subscription), private_key(following)}


def binding_keys(subscription: Subscription) -> Sequence[str]:
    """The routing keys that bind its queue to its types; none where the relay filters for it."""
    if subscription.filtered:
        return ()
    if subscription.point_to_point:
        return subscription.types
    return [type_pattern.to_topic_binding(pattern) for pattern in subscription.types]
