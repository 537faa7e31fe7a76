"""Where an event goes: which exchange, and which queues beside those bound to its type."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from gateway.amqp import names
from gateway.contracts import Catalogue, Pattern
from gateway.correlation import request_type
from gateway.subscriptions import State, Subscription


@dataclass(frozen=True, slots=True)
class Route:
    """`bcc` are private keys of subscriptions that have caught up and are not yet bound.

    `audience` is everyone who must get it: if it comes back, they have missed it.
    """

    exchange: str
    classification: str | None
    bcc: tuple[str, ...]
    audience: tuple[Subscription, ...]


@dataclass
class Routes:
    """Routes by event type, worked out when a type is first met. Made anew on every change."""

    catalogue: Catalogue
    subscriptions: Iterable[Subscription]
    joined: Iterable[Subscription]
    _found: dict[str, Route | None] = field(default_factory=dict)

    def know(self, types: Iterable[str]) -> bool:
        """Whether each of these types has a contract; that of a reply is its request's."""
        return all(self.catalogue.contract(request_type(type)) is not None for type in types)

    def route(self, type: str) -> Route | None:
        """The route of a type; None when no subscription is to get it from the exchange."""
        try:
            return self._found[type]
        except KeyError:
            route = self._found[type] = self._find(type)
            return route

    def _find(self, type: str) -> Route | None:
        contract = self.catalogue.contract(type)
        if contract is None:
            return None
        pattern = contract.pattern
        active = [s for s in self.subscriptions if s.state is State.ACTIVE and not s.served]
        bound = [s for s in active if pattern_of(s) is pattern and s.wants(type)]
        joined = [s for s in self.joined if pattern_of(s) is pattern and s.wants(type)]
        if not bound and not joined:
            return None
        return Route(
            exchange_of((bound or joined)[0]),
            contract.classification.value,
            tuple(names.private_key(names.queue(*s.key), s.generation) for s in joined),
            (*bound, *joined),
        )


def pattern_of(subscription: Subscription) -> Pattern:
    """How what a subscription is to receive travels."""
    return Pattern.of(point_to_point=subscription.point_to_point, answers=subscription.answers)


def exchange_of(subscription: Subscription) -> str:
    """The exchange that serves a subscription."""
    return names.exchange(point_to_point=subscription.point_to_point, answers=subscription.answers)
