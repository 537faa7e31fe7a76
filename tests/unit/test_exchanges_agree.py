"""Whichever exchange a message takes, it reaches the same queues: those of the subscriptions.

Both exchanges are modelled by their rules, with the bindings that the reconciler makes. So are the
moments in which only some of the bindings of a subscription are there.
"""

import re
from collections.abc import Iterable
from types import MappingProxyType

from hypothesis import given
from hypothesis import strategies as st

from gateway.broker import names
from gateway.contracts import Catalogue
from gateway.relay.routing import FEW_BINDINGS, INDEXES_SEVERAL_KEYS, Routes
from gateway.subscriptions import Subscription, SubscriptionState, Terms
from gateway.subscriptions.routing import Binding, private_bindings, type_bindings
from tests.builders import a_contract, a_subscription, an_entry

WORDS = st.sampled_from(["uji", "ktp", "dibuat"])
WANTED = st.tuples(WORDS | st.just("*"), WORDS | st.just("*"), WORDS | st.just("*")).map(
    lambda words: ".".join(("id.go", *words, "v1"))
)
TYPES = st.tuples(WORDS, WORDS, WORDS).map(lambda words: ".".join(("id.go", *words, "v1")))
SHORTER = st.sampled_from(["id.go.*", "id.go.uji.*", "id.go.*.ktp.*", "id.go.uji.*.dibuat.*"])
OTHER = "id.go.lain.ktp.dibuat.v1"
SUBJECT = Terms(filters=({"exact": {"subject": "ya"}},))


@st.composite
def subscriptions(draw: st.DrawFn) -> list[tuple[Subscription, bool, set[Binding]]]:
    """Subscriptions, whether they have joined, and which bindings to their types there are."""
    found = []
    for number in range(draw(st.integers(1, 4))):
        state = draw(st.sampled_from([*SubscriptionState]))
        subscription = a_subscription(
            name=f"nama-{number}",
            types=tuple(draw(st.lists(WANTED | TYPES | SHORTER, min_size=1, max_size=3))),
            state=state,
            terms=draw(st.sampled_from([Terms(), SUBJECT])),
        )
        in_backfill = state in (SubscriptionState.CATCHING_UP, SubscriptionState.DIVERTING)
        joined = in_backfill and draw(st.booleans())
        bindings = type_bindings(subscription)
        if joined and bindings:  # it is being bound to its types, or unbound from them
            bindings = draw(st.sets(st.sampled_from(sorted(bindings))))
        found.append((subscription, joined, bindings if joined or subscription.bound else set()))
    return found


def matches(binding: Binding, key: str) -> bool:
    """A direct exchange's rule, and a topic exchange's (AMQP 0-9-1, sections 3.1.3.1 and .3)."""
    if binding.exchange == names.EVENTS:
        return binding.key == key
    each = {"*": r"\.[^.]+", "#": r"(\.[^.]+)*"}
    rule = "".join(each.get(word, re.escape("." + word)) for word in binding.key.split("."))
    return re.fullmatch(rule, "." + key) is not None


def reached(bindings: Iterable[tuple[str, Binding]], exchange: str, keys: list[str]) -> set[str]:
    return {
        name
        for name, binding in bindings
        if binding.exchange == exchange and any(matches(binding, key) for key in keys)
    }


@given(subscriptions(), TYPES, st.sampled_from(["ya", "tidak"]))
def test_both_exchanges_reach_the_subscriptions_and_no_others(
    drawn: list[tuple[Subscription, bool, set[Binding]]], type: str, subject: str
) -> None:
    catalogue = Catalogue(MappingProxyType({type: a_contract(type=type)}), {})
    bindings = [
        (each.name, binding)
        for each, _, present in drawn
        for binding in private_bindings(each) | present
    ]
    entry = an_entry(type=type, subject=subject)
    wanted = {
        each.name
        for each, joined, _ in drawn
        if each.wants(type) and (joined or each.bound) and (not each.filters or each.accepts(entry))
    }
    everyone, joined = [s for s, _, _ in drawn], [s for s, joins, _ in drawn if joins]
    others = [a_subscription(name=f"lain-{n}", types=(OTHER,)) for n in range(FEW_BINDINGS)]
    for broker_major in (INDEXES_SEVERAL_KEYS, INDEXES_SEVERAL_KEYS - 1):
        routes = Routes(catalogue, [*everyone, *others], joined, broker_major)
        route = routes.route(type)
        route = route.for_entry(entry, []) if route else None
        if route is None:
            assert not wanted
            continue
        exchange, further = route.address(route.bcc)
        assert reached(bindings, exchange, [type, *further]) == wanted
