"""The part `cancelled`: the memory of the grpc process over calls that their clients give up.

https://github.com/grpc/grpc/issues/43360: what such calls leave behind in gRPC.
"""

import asyncio
import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import grpc
from google.protobuf.message import Message

from adapters.client.grpc_channel import SERVICE
from adapters.client.wire import bus_pb2 as messages
from adapters.client.wire.cloudevents_pb2 import CloudEvent
from bench.costs import resident
from bench.events import fresh_prefix
from bench.results import Results, Value
from bench.say import say
from bench.scale import Scale
from bench.servers import Servers
from bench.site import Site
from bench.stream_client import message
from deploy.local.ports import LOOPBACK

DATABASE = "cancelled"
TOGETHER = 20
STEPS = 10
WARM = 2  # steps after which buffers and caches should have their size
LONGEST = 0.03  # seconds until a call is given up
KIB = 1 << 10


async def cancel(servers: Servers, scale: Scale, results: Results) -> None:
    """Measure after each tenth of the calls."""
    await servers.clone(DATABASE)
    try:
        async with Site(servers, DATABASE, (), grpc=True) as site:
            sizes = await _sizes(servers, site, scale.cancelled_calls // STEPS)
    finally:
        await servers.drop(DATABASE)
    calls = scale.cancelled_calls // STEPS * (STEPS - WARM)
    course = " ".join(f"{size / KIB / KIB:.0f}" for size in sizes)
    results.values.append(
        Value(
            "cancelled_growth",
            (sizes[-1] - sizes[WARM - 1]) / calls,
            "bytes/call",
            f"RSS in MiB after each {scale.cancelled_calls // STEPS:,} calls: {course}",
            "about 0",
        )
    )


async def _sizes(servers: Servers, site: Site, calls: int) -> Sequence[int]:
    assert site.grpc is not None
    process, sizes = site.grpc, list[int]()
    make = partial(message, fresh_prefix())
    for step in range(STEPS):
        await give_up_calls(f"{LOOPBACK}:{site.grpc_port}", servers.token, calls, make)
        process.require_alive()
        sizes.append(resident(process.pid or 0))
        say(f"{(step + 1) * calls:,} calls: {sizes[-1] / KIB / KIB:.0f} MiB")
    await site.settled()
    return sizes


async def give_up_calls(
    address: str, token: str, calls: int, make: Callable[[int], CloudEvent]
) -> None:
    """Make calls of each kind and cancel each of them somewhere, twenty at a time.

    `make` makes the event of a call.
    """
    metadata, turns = [("authorization", f"Bearer {token}")], asyncio.Semaphore(TOGETHER)
    options = [("grpc.use_local_subchannel_pool", 1)]
    async with grpc.aio.insecure_channel(address, options) as channel:

        async def one(number: int) -> None:
            patience = random.uniform(0, LONGEST)
            async with turns:
                with suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
                    if number % 4:
                        await _stream(channel, metadata, _messages(number, make(number)), patience)
                    else:
                        await _publish(channel, metadata, make(number), patience)

        await asyncio.gather(*map(one, range(calls)))


def _messages(number: int, event: CloudEvent) -> tuple[str, Sequence[Message]]:
    """The method of a stream, and what is sent in it."""
    if number % 4 == 1:
        opening = messages.OpenSubscription(subscription="absent", credit=1)
        return "Subscribe", [messages.SubscribeRequest(open=opening)]
    chunk = messages.Chunk(number=1, events=[event])
    return "PublishStream", [
        messages.PublishStreamRequest(open=messages.OpenStream()),
        messages.PublishStreamRequest(chunk=chunk),
    ]


async def _publish(
    channel: grpc.aio.Channel, metadata: Any, event: CloudEvent, patience: float
) -> None:
    publish: Any = channel.unary_unary(f"{SERVICE}/Publish")
    content = messages.PublishRequest(event=event).SerializeToString()
    await publish(content, timeout=patience, metadata=metadata)


async def _stream(
    channel: grpc.aio.Channel,
    metadata: Any,
    given: tuple[str, Sequence[Message]],
    patience: float,
) -> None:
    method, sent = given
    call: Any = channel.stream_stream(f"{SERVICE}/{method}")(metadata=metadata)
    try:
        for each in sent:
            await call.write(each.SerializeToString())
        await asyncio.sleep(patience)
    finally:
        call.cancel()
