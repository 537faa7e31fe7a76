"""Every delivery names the organisation that published the event: an attribute of the gateway."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.builders import FREE, a_document, an_id
from tests.bus import Actor, Bus
from tests.integration.test_stream import a_stream, reading, take
from tests.problems import problem_of
from tests.pull_receiver import Puller, tokens
from tests.waiting import eventually

OWN = ("publisher", "sequence", "sequencetype", "recordedtime", "dataclassification",
       "requestedby", "requestid", "requestexpiry", "causationid", "corrects")  # fmt: skip


@pytest.fixture(scope="module")
def uji(bus: Bus) -> Actor:
    return bus.actor("uji")


@pytest.fixture(scope="module")
def lain(bus: Bus) -> Iterator[Actor]:
    """Another organisation that publishes the same type."""
    grant = bus.grant("lain", "publish", FREE)
    actor = bus.actor("lain")
    eventually(lambda: actor.publish(a_document(source="/lain")).status_code == 202)
    yield actor
    bus.admin.delete(grant).raise_for_status()


def by_publisher(events: list[dict[str, Any]]) -> dict[str, str]:
    return {event["id"]: event["publisher"] for event in events}


def test_each_way_of_delivery_names_the_publisher(uji: Actor, lain: Actor) -> None:
    queue, puller, stream = uji.subscribe(FREE), Puller(uji, FREE), a_stream(uji)
    sent = {actor.published(): actor.organisation for actor in (uji, lain)}
    messages = queue.take(2)
    assert by_publisher([each.document for each in messages]) == sent
    assert {each.message_id: each.headers["ce-publisher"] for each in messages} == sent
    assert by_publisher([each["event"] for each in puller.receive(2)]) == sent
    with reading(uji, stream) as found:
        assert by_publisher([each["event"] for each in take(found, 2)]) == sent


def test_filters_choose_by_publisher(uji: Actor, lain: Actor) -> None:
    terms = {"filters": [{"exact": {"publisher": "lain"}}]}
    queue, puller = uji.subscribe(FREE, terms=terms), Puller(uji, FREE, terms=terms)
    uji.published(subject="same")
    sent = [lain.published(subject="same")]
    assert [each.message_id for each in queue.take(1)] == sent
    assert [each["event"]["id"] for each in puller.receive(2, wait=2)] == sent


def test_the_journal_and_dead_letters_name_the_publisher(uji: Actor, lain: Actor) -> None:
    puller = Puller(uji, FREE)
    event = a_document(source="/lain")
    place = lain.publish(event).headers["location"]
    shown = uji.get(place).json()
    assert (shown["publisher"], shown["event"]["publisher"]) == ("lain", "lain")
    puller.call("reject", tokens=tokens(puller.receive(1)))
    query = {"event": event["id"]}
    (dead_letter,) = lain.get("/v1/dead-letters", params=query).json()["items"]
    assert dead_letter["publisher"] == "lain"
    inspected = uji.get(f"/v1/dead-letters/{dead_letter['number']}").json()
    assert inspected["event"]["publisher"] == "lain"


def test_a_test_event_is_published_by_the_gateway(uji: Actor) -> None:
    queue, puller = uji.subscribe(FREE), Puller(uji, FREE)
    for name in (queue.name, puller.name):
        assert uji.post(f"/v1/subscriptions/{name}/test").status_code == 200
    assert [each.headers["ce-publisher"] for each in queue.take(1)] == ["nusabus"]
    assert [each["event"]["publisher"] for each in puller.receive(1)] == ["nusabus"]


@pytest.mark.parametrize("name", OWN)
def test_what_the_gateway_sets_nobody_else_sets(uji: Actor, name: str) -> None:
    event = a_document(**{name: "uji"})
    says = f"The gateway sets the attribute {name}. Omit it."
    problem = problem_of(uji.publish(event), 400, "malformed")
    assert (problem["pointer"], problem["detail"]) == (f"/{name}", says)
    headers = {"ce-specversion": "1.0", "ce-id": an_id(), "ce-source": "/uji", "ce-type": FREE}
    headers |= {f"ce-{name}": "uji", "content-type": "application/json"}
    answer = uji.post("/v1/events", content=b"{}", headers=headers)
    assert problem_of(answer, 400, "malformed")["detail"] == says
    (first, second) = uji.publish_batch([event, a_document()]).json()["results"]
    assert (first["status"], first["problem"]["pointer"]) == (400, f"/0/{name}")
    assert second["status"] == 202
