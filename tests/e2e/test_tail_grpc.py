"""`nusabus tail --grpc`, and the client library's receiver, cut off and gone on with."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from adapters.cli.exits import Exit
from adapters.client import CallRetryPolicy, Nusabus, Problem
from adapters.client.grpc_requests import GrpcRequests
from adapters.client.grpc_subscribing import Subscriber
from tests.builders import FREE, a_document, a_name, a_question, a_reply, question_type
from tests.bus import Actor, Bus
from tests.e2e.conftest import Command
from tests.grpc_calls import GrpcProcess
from tests.pull_receiver import Puller
from tests.waiting import eventually

EVENTS = 2_000
SOON = CallRetryPolicy(attempts=1 << 30, first_delay=0.05, longest_delay=0.2)


@pytest.fixture(scope="module")
def process(bus: Bus) -> Iterator[GrpcProcess]:
    process = GrpcProcess(bus)
    yield process
    process.stop()


def publish(uji: Actor, count: int = EVENTS) -> list[str]:
    """Publish events of one subject; their ids."""
    events = [a_document() for _ in range(count)]
    for first in range(0, count, 500):
        batch = events[first : first + 500]
        assert uji.publish_batch(batch).json()["accepted"] == len(batch)
    return [each["id"] for each in events]


@asynccontextmanager
async def connected(process: GrpcProcess, uji: Actor) -> AsyncIterator[Nusabus]:
    url = str(process.bus.http.base_url)
    async with Nusabus(url, uji.id, uji.secret) as bus:
        yield bus


def test_tail_goes_on_after_a_kill(
    process: GrpcProcess, uji: Actor, nusabus: Command, tmp_path: Path
) -> None:
    name, position = a_name(), tmp_path / "position"
    uji.put_subscription(name, FREE, delivery="stream").raise_for_status()
    sent = publish(uji)
    command = ("tail", "--grpc", "--grpc-address", process.address, "--json",
               "--subscription", name, "--resume", str(position))  # fmt: skip
    printed = tmp_path / "killed.ndjson"
    with printed.open("w") as output:
        running = subprocess.Popen(
            [sys.executable, "-m", "adapters.cli", *command], env=os.environ, stdout=output
        )
        eventually(position.exists)
        running.kill()
        running.wait()
    before = [json.loads(line)["id"] for line in printed.read_text().splitlines()]
    assert 0 < len(before) < EVENTS, "it was killed too late"
    last = len(before)
    code, out, err = nusabus(*command, "--count", EVENTS - last)
    assert code == Exit.OK, err
    after = [json.loads(line)["id"] for line in out.splitlines()]
    assert before + after in (sent, [*before, before[-1], *sent[last:-1]]), "lost, or repeated"


async def test_a_receiver_goes_on_when_its_process_dies(process: GrpcProcess, uji: Actor) -> None:
    puller = Puller(uji, FREE, terms={"lock_seconds": 2})
    sent = await asyncio.to_thread(publish, uji)
    received, lost = set[str](), list[Exception | None]()
    async with connected(process, uji) as bus:
        subscriber = Subscriber(process.address, bus.access_token, tls=False, retry=SOON)
        async with subscriber.receive(puller.name, on_reconnect=lost.append) as events:
            async for event in events:
                received.add(event.document["id"])
                await events.acknowledge(event)
                if len(received) == EVENTS // 2 and not lost:
                    await asyncio.to_thread(process.kill)
                    await asyncio.to_thread(process.start)
                if len(received) == EVENTS:
                    break
    assert received == set(sent)
    assert lost


async def test_what_settles_and_what_ends(process: GrpcProcess, uji: Actor) -> None:
    puller = Puller(uji, FREE)
    await asyncio.to_thread(publish, uji, 4)
    async with connected(process, uji) as bus:
        subscriber = Subscriber(process.address, bus.access_token, tls=False)
        async with subscriber.receive(puller.name) as events:
            first, second, third, fourth = [await anext(events) for _ in range(4)]
            assert await events.acknowledge(first) == []
            assert await events.acknowledge(first, second) == [first.token]
            assert await events.renew(third, seconds=60) == []
            assert await events.reject(third, reason="x") == []
            assert await events.release(fourth) == []
            again = await anext(events)
            assert (again.text, again.attempt) == (fourth.text, 2)
            uji.delete(f"/v1/subscriptions/{puller.name}").raise_for_status()
            with pytest.raises(Problem, match="There is no subscription"):
                await events.acknowledge(again)
        with pytest.raises(Problem) as caught:
            async with subscriber.receive(puller.name) as events:
                await anext(events)
        assert caught.value.status == 404


async def test_a_question(process: GrpcProcess, uji: Actor) -> None:
    type = question_type("henti")
    process.bus.grant("lain", "publish", type)
    lain, puller = process.bus.actor("lain"), Puller(uji, type)
    async with (
        connected(process, lain) as requester,
        connected(process, uji) as replier,
        GrpcRequests(process.address, requester.access_token, tls=False) as asker,
        GrpcRequests(process.address, replier.access_token, tls=False) as responder,
        Subscriber(process.address, replier.access_token, tls=False).receive(puller.name) as events,
    ):
        question = a_question(type)
        asked = asyncio.ensure_future(asker.ask(question))
        event = await anext(events)
        id = event.document["requestid"]
        stored = await responder.answer(id, a_reply(question))
        await events.acknowledge(event)
        found = await asked
        assert (found.id, found.state, found.type) == (id, "answered", type)
        assert found.reply is not None
        assert found.reply["data"] == {"hasil": "COCOK"}
        assert (stored["late"], stored["duplicate"]) == (False, False)
        over_http = lain.get(f"/v1/requests/{id}").json()
        assert found.deadline[:19] == over_http["deadline"][:19]
        assert dict(found.request) == over_http["request"]
        with pytest.raises(Problem) as caught:
            await responder.answer(id, a_reply(question))
        assert caught.value.code == "already-answered"
        assert caught.value.document["status"] == 409
