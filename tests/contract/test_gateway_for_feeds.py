"""What feeds of COBOL files do with the gateway, on its fakes and on a real bus."""

import json
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import pytest

from adapters.client import Nusabus, Problem
from adapters.legacy_cobol.transfer.sender import ONCE, Sender
from tests.builders import CITIZEN, FREE, a_citizen, a_document, a_name
from tests.bus import Actor
from tests.legacy_feeds import FakeGateway, FakePull, a_bus
from tests.legacy_transfer.gateway import StoringGateway
from tests.legacy_transfer.memory import Forgetful

VIOLATION = {
    "type": "https://nusabus.go.id/problems/contract-violation",
    "title": "Contract violation",
    "status": 422,
    "detail": "Correct the data.",
    "violations": [{"pointer": "/nik", "keyword": "pattern", "message": "too short"}],
}


def connect(actor: Actor) -> Nusabus:
    return Nusabus(str(actor.bus.http.base_url), actor.id, actor.secret, retry=ONCE)


def real(request: pytest.FixtureRequest) -> Nusabus:
    """A connection to a running bus, which is started only where it is asked for."""
    return connect(request.getfixturevalue("shared_bus").actor("uji"))


def violate(event: dict[str, Any]) -> dict[str, Any] | None:
    """The problem of a citizen with a short number."""
    return VIOLATION if event["type"] == CITIZEN and len(event["data"]["nik"]) < 16 else None


@pytest.fixture(params=["transport", "process", "real"])
def gateway(request: pytest.FixtureRequest) -> Iterator[Nusabus]:
    """A gateway that stores what feeds publish."""
    if request.param == "real":
        yield real(request)
    elif request.param == "transport":
        yield a_bus(FakeGateway())
    else:
        with StoringGateway() as storing:
            yield Nusabus(storing.url, "id", "secret", retry=ONCE)


@pytest.fixture(params=["memory", "real"])
def counting(request: pytest.FixtureRequest) -> Nusabus:
    """A gateway that accepts events."""
    return real(request) if request.param == "real" else a_bus(Forgetful())


@pytest.fixture(params=["transport", "real"])
def strict(request: pytest.FixtureRequest) -> Nusabus:
    """A gateway that validates citizens."""
    return real(request) if request.param == "real" else a_bus(FakeGateway(violate))


async def sent(bus: Nusabus, *events: dict[str, Any]) -> list[Any]:
    """False for an event that is stored now, True for a repeated one, else status and code."""
    texts = [json.dumps(event).encode() for event in events]
    async with bus:
        answers = await Sender(bus, first_delay=0, longest_delay=0).send(texts, _no_note)
    return [(each.status, each.code) if isinstance(each, Problem) else each for each in answers]


def _no_note(reason: str) -> None:
    raise AssertionError(reason)


async def test_events_are_stored_once(gateway: Nusabus) -> None:
    one, other, more = a_document(), a_document(), a_document()
    again = {**other, "data": {"n": 2}}
    answers = await sent(gateway, one, other, one, more, again)
    assert answers == [False, False, True, False, (409, "identifier-reused")]


async def test_the_gateway_that_only_counts_accepts(counting: Nusabus) -> None:
    assert await sent(counting, a_document(), a_document()) == [False, False]


async def test_an_event_that_breaks_the_contract_is_refused_alone(strict: Nusabus) -> None:
    good = a_document(type=CITIZEN, data=a_citizen())
    bad = a_document(type=CITIZEN, data=a_citizen(nik="1"))
    texts = [json.dumps(event).encode() for event in (good, bad)]
    async with strict:
        stored, problem = await Sender(strict).send(texts, _no_note)
    assert stored is False
    assert isinstance(problem, Problem)
    assert (problem.status, problem.code) == (422, "contract-violation")
    assert problem.title
    assert problem.detail
    (violation,) = problem.violations
    assert (violation.pointer, violation.keyword) == ("/nik", "pattern")
    assert violation.message


class Receiver:
    """A pull subscription of five events, made by the gateway or its fake."""

    def __init__(self, bus: Nusabus, name: str) -> None:
        self.bus = bus
        self._path = f"/v1/subscriptions/{name}"

    async def begin(self) -> None:
        body = {"types": [FREE], "delivery": "pull", "terms": {"lock_seconds": 1}}
        await self.bus.call("PUT", self._path, json=body)

    async def receive(self, most: int = 100) -> list[dict[str, Any]]:
        body = {"max": most, "wait": 0}
        found = await self.bus.call("POST", f"{self._path}/receive", json=body)
        return list(found["events"])

    async def settle(self, how: str, events: Sequence[dict[str, Any]], **more: str) -> list[str]:
        body = {"tokens": [each["token"] for each in events], **more}
        answer = await self.bus.call("POST", f"{self._path}/{how}", json=body)
        return list(answer["results"])

    async def take(self, count: int) -> list[dict[str, Any]]:
        """Receive until so many have come, without settling any of them."""
        found: dict[str, dict[str, Any]] = {}
        while len(found) < count:
            for each in await self.receive(count - len(found)):
                found.setdefault(each["event"]["id"], each)
        return list(found.values())


DATA = [{"n": number} for number in range(3)]


@pytest.fixture(params=["transport", "real"])
def pulled(request: pytest.FixtureRequest) -> tuple[Nusabus, bool]:
    """A gateway for a subscription, and whether events have to be published to it first."""
    if request.param == "real":
        return real(request), True
    return a_bus(FakePull(*DATA)), False


@pytest.fixture
async def receiver(pulled: tuple[Nusabus, bool]) -> AsyncIterator[Receiver]:
    bus, empty = pulled
    async with bus:
        receiver = Receiver(bus, a_name())
        await receiver.begin()
        if empty:
            await bus.publish_batch([a_document(data=each) for each in DATA])
        yield receiver


async def test_what_is_acknowledged_does_not_come_again(receiver: Receiver) -> None:
    events = await receiver.take(3)
    assert sorted(each["event"]["data"]["n"] for each in events) == [0, 1, 2]
    assert {each["event"]["type"] for each in events} == {FREE}
    assert all(isinstance(each["event"][name], str) for each in events for name in ("id", "source"))
    assert await receiver.settle("acknowledge", events) == ["settled"] * 3
    assert await receiver.settle("acknowledge", events) == ["gone"] * 3
    assert await receiver.receive() == []


async def test_no_more_come_than_were_asked_for(receiver: Receiver) -> None:
    assert len(await receiver.receive(1)) == 1


async def test_what_is_not_acknowledged_comes_again(receiver: Receiver) -> None:
    first = {each["event"]["id"] for each in await receiver.take(3)}
    assert {each["event"]["id"] for each in await receiver.take(3)} == first


async def test_what_is_rejected_does_not_come_again(receiver: Receiver) -> None:
    bad, *good = await receiver.take(3)
    assert await receiver.settle("reject", [bad], reason="no record has room for it") == ["settled"]
    assert await receiver.settle("acknowledge", good) == ["settled"] * 2
    assert await receiver.receive() == []
