"""Where an event goes: which exchange, and which queues beside those bound to its type."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from gateway.base.event import Event
from gateway.base.type_pattern import request_type
from gateway.contracts import Catalogue
from gateway.subscriptions import Subscription
from gateway.subscriptions.routing import exchange_of, private_key, routed_by


@dataclass(frozen=True, slots=True)
class Route:
    """Three ways into a queue, and who is reached by each.

    `bound` are those whose queue is bound to the type. `bcc` are the private keys of those that
    have caught up and are not yet bound: they get everything. `filtered`, by private key, get what
    they accept; see `of`. `named` is everyone who may be reached by a private key.
    """

    exchange: str
    classification: str | None
    bcc: tuple[str, ...]
    bound: tuple[Subscription, ...]
    named: Mapping[str, Subscription] = field(default_factory=dict)
    filtered: tuple[tuple[str, Subscription], ...] = ()

    def of(self, event: Event) -> "Route | None":
        """The route of one event, by what it holds. None where it is for nobody."""
        chosen = [key for key, subscription in self.filtered if subscription.accepts(event)]
        if not chosen and not self.bcc and not self.bound:
            return None
        return replace(self, bcc=(*self.bcc, *chosen)) if chosen else self

    def renewed(self, bcc: Iterable[str]) -> tuple[str, ...] | None:
        """What an earlier route added, without those who are to get it no more this way.

        Nobody is added: who has joined since was sent this entry while it was catching up. None
        where nobody is left.
        """
        left = tuple(key for key in bcc if key in self.named)
        return left if left or self.bound else None

    def audience(self, bcc: Iterable[str]) -> list[Subscription]:
        """Everyone who must get a message with these keys: if it comes back, they missed it."""
        return [*self.bound, *(self.named[key] for key in bcc if key in self.named)]


@dataclass
class Routes:
    """Routes by event type, worked out when a type is first met. Made anew on every change."""

    catalogue: Catalogue
    subscriptions: Iterable[Subscription]
    joined: Iterable[Subscription]
    _found: dict[str, Route | None] = field(default_factory=dict)

    def route(self, type: str) -> Route | None:
        """The route of a type; None when no subscription is to get it from the exchange.

        Where it has `filtered` ones, each event has a route of its own, see `Route.of`.
        """
        try:
            return self._found[type]
        except KeyError:
            route = self._found[type] = self._find(type)
            return route

    def _find(self, type: str) -> Route | None:
        contract = self.catalogue.contract(request_type(type))
        if contract is None:
            return None
        wanting = [
            s
            for s in self.subscriptions
            if s.bound and s.wants(type) and routed_by(s, type, self.catalogue)
        ]
        joined = [s for s in self.joined if s.wants(type) and routed_by(s, type, self.catalogue)]
        bound = tuple(s for s in wanting if not s.filtered)
        named = {private_key(s): s for s in (*joined, *(s for s in wanting if s.filtered))}
        if not bound and not named:
            return None
        return Route(
            exchange_of((*bound, *named.values())[0]),
            contract.classification.value,
            tuple(key for key, s in named.items() if not s.filtered),
            bound,
            named,
            tuple((key, s) for key, s in named.items() if s.filtered),
        )
