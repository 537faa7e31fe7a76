"""Streams over gRPC and the quota of them: as over HTTP, who has used it up is refused."""

import asyncio
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from typing import Any

import grpc
import pytest

from adapters.client.wire.bus_pb2 import Acknowledge
from tests.builders import FREE
from tests.bus import Actor, Bus
from tests.grpc_calls import Door, details_of, problem_of
from tests.integration.quota_calls import put_quotas
from tests.pull_receiver import Puller

CODE = grpc.StatusCode
LOOKS = 100  # within which a process knows of a limit, or that a stream has ended


@pytest.fixture
def limited(bus: Bus) -> Iterator[Actor]:
    """A client of "uji" that may have one stream at a time."""
    body = {"organisation": "uji", "title": "A test's", "roles": ["publisher", "subscriber"]}
    made = bus.admin.post("/v1/clients", json=body).raise_for_status().json()
    secret = bus.admin.post(f"/v1/clients/{made['id']}/secrets").raise_for_status().json()
    put_quotas(bus, "uji", {}, **{made["id"]: {"streams": 1}})
    yield Actor(bus, "uji", made["id"], secret["secret"])
    put_quotas(bus, "uji", {})


async def refusal(calling: AbstractAsyncContextManager[Any]) -> grpc.aio.AioRpcError | None:
    """What a call is refused with; None if it is opened."""
    async with calling as stream:
        reading = asyncio.ensure_future(stream.call.read())
        try:
            await reading
        except grpc.aio.AioRpcError as error:
            return error
    return None


async def opened_in_the_end(door: Door, name: str) -> None:
    """Wait until a stream is opened: the gateway has to notice that another one has ended."""
    for _ in range(LOOKS):
        if await refusal(door.subscribe(name)) is None:
            return
        await asyncio.sleep(0.05)
    raise AssertionError("no stream is opened any more")


async def in_force(door: Door, name: str) -> grpc.aio.AioRpcError:
    """Wait until a second stream is refused; with what."""
    for _ in range(LOOKS):
        if (error := await refusal(door.subscribe(name))) is not None:
            return error
        await asyncio.sleep(0.05)
    raise AssertionError("a second stream is never refused")


async def test_a_subscriber_beyond_its_quota_is_refused(
    bus: Bus, door: Door, limited: Actor
) -> None:
    mine, name = Door(0, limited, door.channel), Puller(bus.actor("uji"), FREE).name
    async with mine.subscribe(name) as first:
        await first.until("opened")
        error = await in_force(mine, name)
        assert error.code() is CODE.RESOURCE_EXHAUSTED
        problem = problem_of(error)
        assert (problem.status, problem.type.rpartition("/")[2]) == (429, "quota-exceeded")
        assert '"streams"' in problem.document
        assert any(each.type_url.endswith("RetryInfo") for each in details_of(error).details)
        assert await refusal(door.subscribe(name)) is None, "another client was refused"
        event = await asyncio.to_thread(bus.actor("uji").published)
        (found,) = await first.take(1)
        done = await first.settled(acknowledge=Acknowledge(tokens=[found.token]))
        assert (found.event.id, list(done.settled)) == (event, [found.token])
    await opened_in_the_end(mine, name)


async def test_a_publisher_has_the_same_quota(bus: Bus, door: Door, limited: Actor) -> None:
    mine, name = Door(0, limited, door.channel), Puller(bus.actor("uji"), FREE).name
    async with mine.stream() as stream:
        assert stream.opened.HasField("opened")
        error = await in_force(mine, name)
        assert problem_of(error).type.endswith("/quota-exceeded")
    await opened_in_the_end(mine, name)
