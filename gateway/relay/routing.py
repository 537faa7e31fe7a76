"""Routing of events: the exchange, and the queues beside those that are bound to the type."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from gateway.base.defects import report_defect
from gateway.base.type_pattern import request_type
from gateway.contracts import Catalogue
from gateway.journal import Entry
from gateway.subscriptions import Subscription
from gateway.subscriptions.routing import exchange_of, private_key, routed_by


@dataclass(frozen=True, slots=True)
class Route:
    """The exchange for an event, and the subscriptions that it reaches in one of three ways.

    The queues of `bound` are bound to the type. `bcc` are the private keys of subscriptions whose
    backfill has joined this shard and that are not bound yet: they get every event. `filtered`, by
    private key, get the events that they accept, see `for_entry`. `by_key` holds every
    subscription that has a private key here.
    """

    exchange: str
    classification: str | None
    bcc: tuple[str, ...]
    bound: tuple[Subscription, ...]
    by_key: Mapping[str, Subscription] = field(default_factory=dict)
    filtered: tuple[tuple[str, Subscription], ...] = ()

    def for_entry(self, entry: Entry, failing: list[Subscription]) -> "Route | None":
        """The route of one event, after its filters. None if no subscription gets it.

        A subscription whose filters fail on it is added to `failing`: a defect.
        """
        chosen = []
        for key, subscription in self.filtered:
            try:
                if subscription.accepts(entry):
                    chosen.append(key)
            except Exception as error:
                organisation, name = subscription.key
                report_defect("relay.filter", error, organisation=organisation, subscription=name)
                failing.append(subscription)
        if not chosen and not self.bcc and not self.bound:
            return None
        return replace(self, bcc=(*self.bcc, *chosen)) if chosen else self

    def concerned(self, entry: Entry) -> list[Subscription]:
        """The subscriptions that should get an entry, and those whose filters fail on it."""
        return [*self.bound, *(each for each in self.by_key.values() if _may_accept(each, entry))]

    def still_valid(self, bcc: Iterable[str]) -> tuple[str, ...] | None:
        """Those private keys of an earlier route that still apply. None if no receiver is left.

        It adds no key: a subscription that has joined since got this entry from its backfill.
        """
        left = tuple(key for key in bcc if key in self.by_key)
        return left if left or self.bound else None

    def recipients(self, bcc: Iterable[str]) -> list[Subscription]:
        """The subscriptions that must get a message with these keys, and miss it if it returns."""
        return [*self.bound, *(self.by_key[key] for key in bcc if key in self.by_key)]


def _may_accept(subscription: Subscription, entry: Entry) -> bool:
    try:
        return subscription.accepts(entry)
    except Exception:
        return True


@dataclass
class Routes:
    """Routes by event type, computed when a type first appears. Every change makes a new one."""

    catalogue: Catalogue
    subscriptions: Iterable[Subscription]
    joined: Iterable[Subscription]
    _found: dict[str, Route | None] = field(default_factory=dict)

    def route(self, type: str) -> Route | None:
        """The route of a type; None when no subscription gets it from the exchange.

        If it has `filtered` subscriptions, each event has its own route, see `Route.for_entry`.
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
        wanted = [
            s
            for s in self.subscriptions
            if s.bound and s.wants(type) and routed_by(s, type, self.catalogue)
        ]
        joined = [s for s in self.joined if s.wants(type) and routed_by(s, type, self.catalogue)]
        bound = tuple(s for s in wanted if not s.filtered)
        by_key = {private_key(s): s for s in (*joined, *(s for s in wanted if s.filtered))}
        if not bound and not by_key:
            return None
        return Route(
            exchange_of((*bound, *by_key.values())[0]),
            contract.classification.value,
            tuple(key for key, s in by_key.items() if not s.filtered),
            bound,
            by_key,
            tuple((key, s) for key, s in by_key.items() if s.filtered),
        )
