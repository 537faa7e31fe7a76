"""Routing of events to subscriptions."""

from types import MappingProxyType
from typing import Any

from gateway.broker import names
from gateway.contracts import Catalogue, Classification, Contract, Pattern
from gateway.relay.routing import Route, Routes
from gateway.subscriptions import Delivery, Subscription, SubscriptionState, Terms
from tests.builders import (
    CITIZEN,
    FREE,
    QUESTION,
    a_contract,
    a_subscription,
    an_entry,
    task_type,
)

TASK = task_type("satu")


def routes(
    subscriptions: list[Subscription] | None = None, joined: list[Subscription] | None = None
) -> Routes:
    contracts: list[Contract] = [
        a_contract(),
        a_contract(type=CITIZEN, classification=Classification.SECRET),
        a_contract(type=TASK, pattern=Pattern.POINT_TO_POINT),
        a_contract(type=QUESTION, pattern=Pattern.REQUEST_REPLY),
    ]
    catalogue = Catalogue(MappingProxyType({each.type: each for each in contracts}), {})
    return Routes(catalogue, subscriptions or [], joined or [])


def test_no_subscription_wants_it() -> None:
    found = routes(
        [a_subscription(types=(CITIZEN,)), a_subscription(state=SubscriptionState.SUSPENDED)]
    )
    assert found.route(FREE) is None
    assert found.route("id.go.tak.ada.sama.v1") is None
    assert found.route(QUESTION) is None


def test_the_bound_get_it_from_the_exchange() -> None:
    subscription = a_subscription()
    found = routes([subscription])
    assert found.route(FREE) == Route(names.EVENTS, "public", (), (subscription,))
    classified = found.route(CITIZEN)
    assert classified is not None
    assert classified.classification == "secret"


def test_a_joined_subscription_gets_it_beside_the_bound() -> None:
    bound, joined = (
        a_subscription(),
        a_subscription(name="baru", state=SubscriptionState.CATCHING_UP),
    )
    found = routes([bound, joined], [joined]).route(FREE)
    key = "to.sub.lain.baru.1"
    assert found == Route(names.EVENTS, "public", (key,), (bound,), {key: joined})
    assert found.recipients([key]) == [bound, joined]


def filtered(name: str, subject: str, **changes: Any) -> Subscription:
    terms = Terms(filters=({"exact": {"subject": subject}},))
    return a_subscription(name=name, terms=terms, **changes)


def test_a_filtered_subscription_gets_what_it_accepts_by_its_private_key() -> None:
    one, two = filtered("satu", "1"), filtered("dua", "2")
    route = routes([one, two]).route(FREE)
    assert route is not None
    assert route.bound == ()
    for_one = route.for_entry(an_entry(subject="1"), [])
    assert for_one is not None
    assert for_one.bcc == ("to.sub.lain.satu.1",)
    assert route.for_entry(an_entry(subject="3"), []) is None
    assert route.recipients(for_one.bcc) == [one]


def test_a_filtered_subscription_is_beside_the_bound_and_the_joined() -> None:
    bound = a_subscription()
    joined = a_subscription(name="baru", state=SubscriptionState.CATCHING_UP)
    late = filtered("susul", "1", state=SubscriptionState.CATCHING_UP)
    route = routes([bound, joined, late], [joined, late]).route(FREE)
    assert route is not None
    for entry, keys in ((an_entry(subject="1"), ["baru", "susul"]), (an_entry(), ["baru"])):
        found = route.for_entry(entry, [])
        assert found is not None
        assert found.bcc == tuple(f"to.sub.lain.{name}.1" for name in keys)
    assert routes([bound, filtered("lain", "1", delivery=Delivery.PULL)]).route(FREE) == Route(
        names.EVENTS, "public", (), (bound,)
    )


def test_while_it_is_diverting_both_routes_lead_into_the_queue() -> None:
    both = a_subscription(state=SubscriptionState.DIVERTING, generation=3)
    key = "to.sub.lain.semua.3"
    assert routes([both], [both]).route(FREE) == Route(
        names.EVENTS, "public", (key,), (both,), {key: both}
    )


def test_earlier_routes_lose_keys_that_no_longer_apply() -> None:
    old, new = filtered("satu", "1"), filtered("satu", "1", generation=2)
    stays = routes([old]).route(FREE)
    gone = routes([new]).route(FREE)
    beside = routes([new, a_subscription()]).route(FREE)
    assert stays is not None
    assert gone is not None
    assert beside is not None
    bcc = ("to.sub.lain.satu.1",)
    assert stays.still_valid(bcc) == bcc
    assert gone.still_valid(bcc) is None
    assert beside.still_valid(bcc) == ()


def test_a_subscription_that_has_not_joined_gets_nothing() -> None:
    assert routes([a_subscription(state=SubscriptionState.CATCHING_UP)]).route(FREE) is None


def test_patterns_are_for_publish_subscribe_and_tasks_for_one() -> None:
    everything = a_subscription()
    worker = a_subscription(name="kerja", types=(TASK,), point_to_point=True)
    assert routes([everything]).route(TASK) is None
    assert routes([everything, worker]).route(TASK) == Route(
        names.COMMANDS, "public", (), (worker,)
    )


def test_requests_go_to_their_responder_alone() -> None:
    responder = a_subscription(types=(QUESTION,), point_to_point=True, is_responder=True)
    found = routes([a_subscription(), responder])
    assert found.route(QUESTION) == Route(names.REQUESTS, "public", (), (responder,))
    assert found.route(f"{QUESTION}.reply") is None


def test_replies_go_to_the_callbacks_of_the_requester_by_their_private_keys() -> None:
    reply = f"{QUESTION}.reply"
    mine, others = (a_subscription(organisation=each, types=(reply,)) for each in ("lain", "asing"))
    found = routes([mine, others, a_subscription(types=("id.go.*",))])
    route = found.route(reply)
    assert route is not None
    assert (route.exchange, route.classification, route.bound) == (names.CALLBACKS, "public", ())
    said = route.for_entry(an_entry(type=reply, attributes={"requestedby": "lain"}), [])
    assert said is not None
    assert said.bcc == ("to.sub.lain.semua.1",)
    assert route.for_entry(an_entry(type=reply), []) is None
    assert route.for_entry(an_entry(type=reply, attributes={"requestedby": "lainnya"}), []) is None
    assert found.route(QUESTION) is None


def test_types_without_a_contract_are_reported() -> None:
    assert routes().catalogue.covers([FREE, CITIZEN, f"{QUESTION}.reply"])
    assert not routes().catalogue.covers([FREE, "id.go.tak.ada.sama.v1"])
