"""`Request` and `Respond`: asked and answered over gRPC, and over HTTP at the same time."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest

from adapters.client.wire import bus_pb2 as messages
from tests.builders import FREE, a_document, a_question, a_reply, question_type
from tests.bus import Bus, MakeBus
from tests.grpc_calls import Door, GrpcProcess, as_message, problem_of
from tests.pull_receiver import Puller

CODE = grpc.StatusCode
ASKED, SILENT, NOBODY = map(question_type, ("amqp", "pull", "salah"))


async def refused(call: Awaitable[object]) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value


@pytest.fixture(scope="module")
def bus(make_bus: MakeBus) -> Iterator[Bus]:
    """A bus of its own: a type has one responder."""
    with make_bus() as bus:
        bus.run("api", "relay")
        for type in (ASKED, SILENT, NOBODY):
            bus.grant("lain", "publish", type)
        yield bus


@pytest.fixture(scope="module")
def process(bus: Bus) -> GrpcProcess:
    return GrpcProcess(bus)


@pytest.fixture
async def door(bus: Bus, process: GrpcProcess) -> AsyncIterator[Door]:
    door = Door(process.port, bus.actor("uji"))
    yield door
    await door.channel.close()


@pytest.fixture
def lain(bus: Bus, door: Door) -> Door:
    """An organisation that may ask."""
    return Door(0, bus.actor("lain"), door.channel)


@pytest.fixture(scope="module")
def pulled(bus: Bus) -> str:
    """The subscription of whom is asked."""
    return Puller(bus.actor("uji"), ASKED, SILENT).name


async def test_a_question_is_answered(bus: Bus, lain: Door, door: Door, pulled: str) -> None:
    question = a_question(ASKED)
    async with door.subscribe(pulled, credit=100) as stream:
        call = asyncio.ensure_future(lain.request(as_message(question), wait=20))
        (found,) = await stream.take(1)
        while found.event.id != question["id"]:  # one that nobody has answered
            (found,) = await stream.take(1)
        id = found.event.attributes["requestid"].ce_string
        reply = as_message(a_reply(question))
        receipt = await door.respond(id, reply)
        assert (receipt.late, receipt.duplicate) == (False, False)
        answer = await call
        done = messages.Acknowledge(tokens=[found.token])
        await stream.settled(acknowledge=done)
    assert (answer.id, answer.state) == (id, messages.REQUEST_STATE_ANSWERED)
    assert json.loads(answer.reply.binary_data) == {"hasil": "COCOK"}
    assert answer.reply.attributes["requestid"].ce_string == id
    assert (await door.respond(id, reply)).duplicate
    assert receipt.reply.sequence > 0
    over_http = bus.actor("lain").get(f"/v1/requests/{id}").raise_for_status().json()
    stored = {name: over_http["request"][name] for name in ("source", "id", "shard", "sequence")}
    assert {name: getattr(answer.request, name) for name in stored} == stored
    assert over_http["reply"]["id"] == answer.reply.id
    again = await lain.request(as_message(question))
    assert again.reply == answer.reply
    other = as_message(a_reply(question))
    assert (await refused(door.respond(id, other))).code() is CODE.FAILED_PRECONDITION


async def test_a_question_that_nobody_answers(bus: Bus, lain: Door, pulled: str) -> None:
    assert pulled
    question = a_question(SILENT)
    answer = await lain.request(as_message(question))
    assert answer.state == messages.REQUEST_STATE_WAITING
    assert answer.deadline.ToDatetime(UTC) > datetime.now(UTC)
    soon = (datetime.now(UTC) + timedelta(seconds=0.5)).isoformat()
    expiring = a_question(SILENT, expirytime=soon)
    error = await refused(lain.request(as_message(expiring), wait=20))
    over_http = bus.actor("lain").ask(expiring, wait=1)
    assert error.code() is CODE.DEADLINE_EXCEEDED
    assert json.loads(problem_of(error).document) == over_http.json()
    assert over_http.status_code == 504
    assert (await refused(lain.request(as_message(a_question(NOBODY))))).code() is CODE.UNAVAILABLE
    waiting = await lain.request(as_message(a_question(NOBODY)), patient=True)
    assert waiting.state == messages.REQUEST_STATE_WAITING


@pytest.mark.parametrize(
    ("question", "kept"),
    [
        (a_question(SILENT, data=[]), 2),
        (a_question(SILENT, expirytime="tomorrow"), 2),
        (a_question(SILENT, requestid="x"), 0),  # it was never an event, so it has no id
        (a_document(source="/lain", type=FREE), 2),
    ],
)
async def test_a_question_that_is_refused(
    bus: Bus, lain: Door, question: dict[str, Any], kept: int
) -> None:
    error = await refused(lain.request(as_message(question)))
    assert json.loads(problem_of(error).document) == bus.actor("lain").ask(question).json()
    statement = "SELECT count(*) FROM refusals WHERE id = $1"
    found = await asyncio.to_thread(bus.query, statement, question["id"])
    assert found == [(kept,)], "one over each door"


async def test_who_may_not_answer(bus: Bus, lain: Door, door: Door, pulled: str) -> None:
    assert pulled
    question = a_question(ASKED)
    id = (await lain.request(as_message(question))).id
    reply = as_message(a_reply(question))
    for by, request, code in (
        (lain, id, CODE.NOT_FOUND),
        (door, "0" * 32, CODE.NOT_FOUND),
        (door, "x", CODE.NOT_FOUND),
        (Door(0, bus.actor("uji", "publisher"), door.channel), id, CODE.PERMISSION_DENIED),
    ):
        assert (await refused(by.respond(request, reply))).code() is code
    wrong = a_reply(question, data=[])
    error = await refused(door.respond(id, as_message(wrong)))
    over_http = bus.actor("uji").answer(id, wrong)
    assert json.loads(problem_of(error).document) == over_http.json()


async def test_a_deadline_cancels_no_commit(bus: Bus, lain: Door, pulled: str) -> None:
    assert pulled
    question = a_question(SILENT)
    error = await refused(lain.request(as_message(question), wait=20, timeout=0.5))
    assert error.code() is CODE.DEADLINE_EXCEEDED
    again = bus.actor("lain").ask(question).raise_for_status().json()
    assert again["state"] == "waiting"
    statement = "SELECT count(*) FROM journal_entries WHERE id = $1"
    assert await asyncio.to_thread(bus.query, statement, question["id"]) == [(1,)]
