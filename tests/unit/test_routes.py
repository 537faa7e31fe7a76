"""Where an event goes."""

from types import MappingProxyType

from gateway.amqp import names
from gateway.contracts import Catalogue, Classification, Contract, Pattern
from gateway.relay.routes import Route, Routes
from gateway.subscriptions import State, Subscription
from tests.builders import CITIZEN, FREE, QUESTION, a_contract, a_subscription, task_type

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


def test_nobody_wants_it() -> None:
    found = routes([a_subscription(types=(CITIZEN,)), a_subscription(state=State.SUSPENDED)])
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


def test_who_has_joined_gets_it_beside_the_bound() -> None:
    bound, joined = a_subscription(), a_subscription(name="baru", state=State.CATCHING_UP)
    found = routes([bound, joined], [joined]).route(FREE)
    assert found == Route(names.EVENTS, "public", ("to.sub.lain.baru.1",), (bound, joined))


def test_who_is_catching_up_and_has_not_joined_gets_nothing() -> None:
    assert routes([a_subscription(state=State.CATCHING_UP)]).route(FREE) is None


def test_patterns_are_for_publish_subscribe_and_tasks_for_one() -> None:
    everything = a_subscription()
    worker = a_subscription(name="kerja", types=(TASK,), point_to_point=True)
    assert routes([everything]).route(TASK) is None
    assert routes([everything, worker]).route(TASK) == Route(
        names.COMMANDS, "public", (), (worker,)
    )


def test_requests_go_to_their_responder_alone() -> None:
    responder = a_subscription(types=(QUESTION,), point_to_point=True, answers=True)
    found = routes([a_subscription(), responder])
    assert found.route(QUESTION) == Route(names.REQUESTS, "public", (), (responder,))
    assert found.route(f"{QUESTION}.reply") is None


def test_types_without_a_contract_are_told() -> None:
    assert routes().know([FREE, CITIZEN, f"{QUESTION}.reply"])
    assert not routes().know([FREE, "id.go.tak.ada.sama.v1"])
