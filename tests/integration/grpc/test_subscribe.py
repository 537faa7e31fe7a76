"""`Subscribe` on a running bus: credit, settling, and what ends a call."""

import asyncio
import json
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration

from adapters.client.wire.bus_pb2 import (
    Acknowledge,
    Credit,
    Delivery,
    OpenSubscription,
    Reject,
    Release,
    RenewLocks,
    RenewToken,
)
from tests.builders import CITIZEN, FREE, NIK, a_citizen, a_document, a_name
from tests.bus import Bus
from tests.grpc_calls import Door, OpenedSubscription, problem_of
from tests.pull_receiver import Puller

CODE = grpc.StatusCode
DAY = 86_400


def a_stream(bus: Bus, *types: str, **more: Any) -> str:
    name = a_name()
    answer = bus.actor("uji").put_subscription(name, *types, delivery="stream", **more)
    assert answer.status_code == 201, answer.text
    return name


def ids(deliveries: list[Delivery]) -> list[str]:
    return [each.event.id for each in deliveries]


def tokens(deliveries: list[Delivery]) -> list[str]:
    return [each.token for each in deliveries]


async def published(bus: Bus, count: int = 1, **changes: Any) -> list[str]:
    """Publish events of one subject over HTTP; their ids."""
    events = [a_document(**changes) for _ in range(count)]
    answer = await asyncio.to_thread(bus.actor("uji").publish_batch, events)
    assert answer.json()["accepted"] == count
    return [each["id"] for each in events]


async def opened(stream: OpenedSubscription) -> str:
    """Wait until it is open; its delivery."""
    delivery: str = (await stream.until("opened")).delivery
    return delivery


async def test_an_event_is_what_http_delivers(bus: Bus, door: Door) -> None:
    over_grpc, over_http = Puller(bus.actor("uji"), CITIZEN), Puller(bus.actor("uji"), CITIZEN)
    data = a_citizen()
    await published(bus, type=CITIZEN, data=data, angka=-7, benar=True, partitionkey="é")
    async with door.subscribe(over_grpc.name) as stream:
        assert await opened(stream) == "pull"
        (found,) = await stream.take(1)
        (same,) = await asyncio.to_thread(over_http.receive)
    expected = same["event"]
    event, attributes = found.event, {}
    for name, value in event.attributes.items():
        attributes[name] = getattr(value, str(value.WhichOneof("attr")))
    assert {
        "specversion": event.spec_version, "id": event.id, "source": event.source,
        "type": event.type, "data": json.loads(event.binary_data), **attributes,
    } == expected  # fmt: skip
    assert (found.attempt, found.position) == (1, "")
    assert found.locked_until.seconds > 0


async def test_no_more_is_sent_than_there_is_credit_for(bus: Bus, door: Door) -> None:
    pulled, streamed = Puller(bus.actor("uji"), FREE), a_stream(bus, FREE)
    sent = await published(bus, 9)
    for name in (pulled.name, streamed):
        async with door.subscribe(name, credit=0) as stream:
            await opened(stream)
            found: list[Delivery] = []
            for credit in (2, 3, 1):
                await stream.write(credit=Credit(events=credit))
                found += await stream.take(credit)
            rest = await stream.leave()
            assert [each.WhichOneof("message") for each in rest] == []
            assert ids(found) == sent[:6]
    shown = await asyncio.to_thread(pulled.receive)
    assert [each["event"]["id"] for each in shown] == sent[6:], "more was locked than was sent"


async def test_settling(bus: Bus, door: Door) -> None:
    puller = Puller(bus.actor("uji"), FREE, start="now")
    sent = await published(bus, 6)
    async with door.subscribe(puller.name) as stream:
        found = await stream.take(6)
        done = await stream.settled(acknowledge=Acknowledge(tokens=tokens(found[:2])))
        assert (list(done.settled), list(done.gone)) == (tokens(found[:2]), [])
        again = await stream.settled(acknowledge=Acknowledge(tokens=[*tokens(found[:3]), "x"]))
        assert (list(again.settled), len(again.gone)) == (tokens(found[2:3]), 3)
        rejected = Reject(tokens=tokens(found[3:4]), reason=f"NIK {NIK} is unknown")
        await stream.settled(reject=rejected)
        kept = RenewLocks(tokens=tokens(found[4:5]), duration=Duration(seconds=300))
        assert len((await stream.settled(renew_locks=kept)).settled) == 1
        released = Release(tokens=tokens(found[5:]), reason="later")
        assert len((await stream.settled(release=released)).settled) == 1
        (back,) = await stream.take(1)
        assert (back.event.id, back.attempt) == (sent[5], 2)
        late = Release(tokens=[back.token], delay=Duration(seconds=3600))
        assert len((await stream.settled(release=late)).settled) == 1
    query = {"subscription": puller.name}
    (refused,) = bus.actor("uji").get("/v1/dead-letters", params=query).json()["items"]
    assert refused["event_id"] == sent[3]
    assert refused["detail"].endswith("is unknown")
    assert NIK not in refused["detail"]


UNSETTLED: list[tuple[dict[str, Any], str, dict[str, Any]]] = [
    ({"acknowledge": Acknowledge()}, "acknowledge", {"tokens": []}),
    ({"acknowledge": Acknowledge(tokens=["x"] * 1001)}, "acknowledge", {"tokens": ["x"] * 1001}),
    (
        {"reject": Reject(tokens=["x"], reason="a\nb")},
        "reject",
        {"tokens": ["x"], "reason": "a\nb"},
    ),
    (
        {"release": Release(tokens=["x"], delay=Duration(seconds=DAY + 1))},
        "release",
        {"tokens": ["x"], "delay": DAY + 1},
    ),
    ({"renew_locks": RenewLocks(tokens=["x" * 65])}, "renew", {"tokens": ["x" * 65]}),
]


@pytest.mark.parametrize(("message", "operation", "body"), UNSETTLED)
async def test_what_cannot_be_settled_has_the_problem_of_http(
    bus: Bus, door: Door, message: dict[str, Any], operation: str, body: dict[str, Any]
) -> None:
    puller = Puller(bus.actor("uji"), FREE)
    async with door.subscribe(puller.name) as stream:
        await stream.write(**message)
        problem = problem_of(await stream.end())
    path = f"/v1/subscriptions/{puller.name}/{operation}"
    over_http = await asyncio.to_thread(bus.actor("uji").post, path, json=body)
    assert json.loads(problem.document) == over_http.json()
    assert problem.status == over_http.status_code == 422


async def test_a_pull_subscription_goes_on_after_its_client_has_gone(bus: Bus, door: Door) -> None:
    puller = Puller(bus.actor("uji"), FREE, terms={"lock_seconds": 1})
    sent = await published(bus, 3)
    async with door.subscribe(puller.name) as stream:
        first = await stream.take(3)
    async with door.subscribe(puller.name) as stream:
        kept = await stream.settled(acknowledge=Acknowledge(tokens=tokens(first[:1])))
        assert list(kept.settled) == tokens(first[:1]), "a token is good for any call"
        again = await stream.take(2)
        assert ids(again) == sent[1:]
        assert {each.attempt for each in again} == {2}


async def test_a_stream_goes_on_after_a_position(bus: Bus, door: Door) -> None:
    name = a_stream(bus, FREE)
    sent = await published(bus, 250)
    async with door.subscribe(name, credit=250) as stream:
        assert await opened(stream) == "stream"
        found = await stream.take(250)
        assert ids(found) == sent
        assert {each.token for each in found} == {""}
    for place in (0, 99, 248):
        async with door.subscribe(name, credit=300, after=found[place].position) as stream:
            assert ids(await stream.take(len(sent) - place - 1)) == sent[place + 1 :]
            sent += await published(bus)
            assert ids(await stream.take(1)) == sent[-1:]


@pytest.mark.parametrize("delivery", ["pull", "stream"])
async def test_events_come_as_they_are_published(bus: Bus, door: Door, delivery: str) -> None:
    name = a_name()
    bus.actor("uji").put_subscription(name, FREE, delivery=delivery).raise_for_status()
    async with door.subscribe(name) as stream:
        await opened(stream)
        for _ in range(3):
            sent = await published(bus, 2)
            assert ids(await stream.take(2)) == sent


async def test_what_a_subscriber_must_not_send(bus: Bus, door: Door) -> None:
    pulled, streamed = Puller(bus.actor("uji"), FREE).name, a_stream(bus, FREE)
    queue = bus.actor("uji").subscribe(FREE, active=False)
    for name, after, code in [
        ("tidak-ada", "", CODE.NOT_FOUND),
        ("\x00", "", CODE.NOT_FOUND),
        (pulled, "000000000000:1.1", CODE.INVALID_ARGUMENT),
        (streamed, "x", CODE.INVALID_ARGUMENT),
        (queue.name, "", CODE.FAILED_PRECONDITION),
    ]:
        async with door.subscribe(name, after=after) as stream:
            assert (await stream.end()).code() is code, name
    async with door.subscribe(pulled) as stream:
        await stream.write(open=OpenSubscription(subscription=pulled))
        assert "after `open`" in problem_of(await stream.end()).detail
    async with door.subscribe(streamed) as stream:
        await stream.write(acknowledge=Acknowledge(tokens=["x"]))
        assert (await stream.end()).code() is CODE.FAILED_PRECONDITION


async def test_who_may_subscribe(bus: Bus, door: Door) -> None:
    name = Puller(bus.actor("uji"), FREE).name
    publisher = Door(0, bus.actor("uji", "publisher"), door.channel)
    stranger = Door(0, bus.actor("lain"), door.channel)
    for who, code in ((publisher, CODE.PERMISSION_DENIED), (stranger, CODE.NOT_FOUND)):
        async with who.subscribe(name) as stream:
            assert (await stream.end()).code() is code
    async with door.subscribe(name, metadata=[]) as stream:
        assert (await stream.end()).code() is CODE.UNAUTHENTICATED


async def test_tokens_are_renewed(bus: Bus, door: Door) -> None:
    def renewal(by: Door) -> RenewToken:
        token = dict(by.metadata)["authorization"].removeprefix("Bearer ")
        return RenewToken(access_token=token)

    name = a_stream(bus, FREE)
    other = Door(0, bus.actor("uji", "publisher", "auditor"), door.channel)
    async with door.subscribe(name) as stream:
        await stream.write(renew=renewal(door))
        sent = await published(bus)
        assert ids(await stream.take(1)) == sent
        await stream.write(renew=renewal(other))
        assert (await stream.end()).code() is CODE.UNAUTHENTICATED


async def test_who_has_lost_the_right_is_stopped(bus: Bus, door: Door) -> None:
    body = {"organisation": "uji", "title": "A test's", "roles": ["subscriber"]}
    made = bus.admin.post("/v1/clients", json=body).raise_for_status().json()
    secret = bus.admin.post(f"/v1/clients/{made['id']}/secrets").raise_for_status().json()
    actor = type(door.actor)(bus, "uji", made["id"], secret["secret"])
    name = a_stream(bus, FREE)
    async with Door(0, actor, door.channel).subscribe(name, credit=0) as stream:
        await opened(stream)
        where = f"/v1/clients/{made['id']}/secrets/{secret['id']}"
        bus.admin.delete(where).raise_for_status()
        assert (await stream.end()).code() is CODE.UNAUTHENTICATED


async def test_a_subscription_that_is_paused_or_deleted_ends_the_call(bus: Bus, door: Door) -> None:
    actor = bus.actor("uji")
    for end, code in (("pause", CODE.FAILED_PRECONDITION), ("", CODE.NOT_FOUND)):
        name = Puller(actor, FREE).name
        async with door.subscribe(name, credit=0) as stream:
            await opened(stream)
            path = f"/v1/subscriptions/{name}"
            answer = actor.post(f"{path}/{end}") if end else actor.delete(path)
            answer.raise_for_status()
            await stream.write(credit=Credit(events=1))
            assert (await stream.end()).code() is code


async def test_who_reads_nothing_is_stopped(bus: Bus, door: Door) -> None:
    """Events are locked for it no further than what one look takes, and then for others."""
    idle, busy = Puller(bus.actor("uji"), FREE), Puller(bus.actor("uji"), FREE)
    for _ in range(30):
        await published(bus, 10, data={"x": "x" * 100_000})
    async with door.subscribe(idle.name, credit=10_000) as stream:
        await opened(stream)
        async with door.subscribe(busy.name, credit=300) as other:
            for _ in range(3):
                found = await other.take(100)
                await other.settled(acknowledge=Acknowledge(tokens=tokens(found)))
        statement = "SELECT count(*) FROM delivery_open WHERE name = $1"
        ((locked,),) = await asyncio.to_thread(bus.query, statement, idle.name)
        assert 0 < locked <= 200
