"""Clients of the gRPC door that read nothing, send what is none, or go away; others go on."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any
from uuid import uuid4

import grpc
import psutil

from adapters.client.wire import bus_pb2 as messages
from gateway.base.event import Event
from tests.faults.actors import STATISTIK, Actors
from tests.faults.cluster import Cluster
from tests.faults.events import broken_content, new_event
from tests.faults.fault import Choices, NoEvidence
from tests.faults.grpc_door import LOST, SERVICE, GrpcDoor, Metadata, read, to_message
from tests.faults.grpc_receivers import CREDIT
from tests.faults.publishers import attempt_of
from tests.faults.run_log import Answer, Kind, Reply
from tests.faults.topology_faults import publish

CODE = grpc.StatusCode
MEGABYTE = 1 << 20
OVERSIZE = 5 * MEGABYTE  # bytes; the largest message is 4 MiB and a little
CHUNK = 500  # events that are refused: half a megabyte of answers
MOST = 64  # chunks
BLOCKED = 3.0  # seconds
BOUND = 96 * MEGABYTE
CALLS, TOGETHER, EVENTS = 1000, 20, 40
METHODS = ("Publish", "PublishStream", "Subscribe")


async def slow_reader(cluster: Cluster, actors: Actors, choices: Choices) -> str:
    """A subscriber stops to read with credit left: it gets all of it later, others get theirs."""
    slow, other = actors.grpc_receivers["ikut-grpc"], actors.grpc_receivers["tarik-grpc"]
    delivered = cluster.run_log.delivered
    slow.hold(True)
    try:
        begun = delivered[other.subscription.name]
        stopped = delivered[slow.subscription.name]
        await cluster.until(
            lambda: delivered[other.subscription.name] >= begun + 2 * CREDIT,
            "who reads got nothing beside one who does not",
        )
        missed = delivered[other.subscription.name] - begun
        if delivered[slow.subscription.name] - stopped > CREDIT:
            raise NoEvidence("it has read")
    finally:
        slow.hold(False)
    await cluster.until(
        lambda: delivered[slow.subscription.name] >= stopped + missed, "it did not catch up"
    )
    return f"one read nothing while another got {missed} events, and caught up"


async def ignore_results(cluster: Cluster, actors: Actors, choices: Choices) -> str:
    """A publisher never reads its results: it is not read from, and its answers are not kept."""
    process = psutil.Process(cluster.grpc.pid)
    before, accepted, sent = process.memory_info().rss, cluster.run_log.accepted, 0
    event = broken_content(new_event(STATISTIK, "/bps/bisu", "bisu", uuid4(), None))
    events = [to_message(event)] * CHUNK
    async with _calling(cluster, "bps") as door:
        call = await door.publish_stream()
        await call.write(messages.PublishStreamRequest(open=messages.OpenStream()))
        with suppress(TimeoutError):
            while sent < MOST:
                chunk = messages.Chunk(number=sent + 1, events=events)
                async with asyncio.timeout(BLOCKED):
                    await call.write(messages.PublishStreamRequest(chunk=chunk))
                sent += 1
        grown = process.memory_info().rss - before
        call.cancel()
    if sent == MOST or grown > BOUND:
        raise NoEvidence(f"{sent} chunks were read, memory grew by {grown // MEGABYTE} MiB")
    await cluster.until(lambda: cluster.run_log.accepted > accepted, "nobody else was served")
    return f"not read from after {sent} chunks, memory grew by {grown // MEGABYTE} MiB"


async def malformed_frames(cluster: Cluster, actors: Actors, choices: Choices) -> str:
    """Messages that are none, or too large, and connections that speak something else."""
    pid = cluster.grpc.pid
    host, port = cluster.grpc_address.split(":")
    for noise in (b"GET / HTTP/1.1\r\n\r\n", os.urandom(4096), b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"):
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(noise + b"\xff" * 64)
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
    found = []
    async with _calling(cluster, "bps") as door:
        for method in METHODS:
            for content in (b"\xff\xff", bytes(OVERSIZE)):
                found.append(await _refusal(door, method, content))
    if found != [CODE.INVALID_ARGUMENT, CODE.RESOURCE_EXHAUSTED] * len(METHODS):
        raise NoEvidence(f"they were answered {found}")
    if cluster.grpc.pid != pid:
        raise NoEvidence("the process has ended")
    return f"{len(found)} messages were refused, and the process lives"


async def cancel_calls(cluster: Cluster, actors: Actors, choices: Choices) -> str:
    """Calls by the thousand are cancelled, wherever they are: each event is stored once.

    The same few events are in all of them, and are published at last by somebody who waits.
    """
    events = [
        new_event(STATISTIK, "/bps/batal", f"batal-{uuid4()}", uuid4(), None) for _ in range(EVENTS)
    ]
    turns = asyncio.Semaphore(TOGETHER)
    async with _calling(cluster, "bps") as door:
        metadata = await door.metadata()

        async def one(number: int) -> bool:
            event, patience = events[number % EVENTS], choices.random.uniform(0, 0.03)
            async with turns:
                if number % 2:
                    return await _publish(cluster, door, event, patience, metadata)
                return await _cancelled_stream(cluster, door, event, patience, metadata)

        answered = sum(await asyncio.gather(*map(one, range(CALLS))))
    again = await asyncio.gather(*(publish(cluster, event) for event in events))
    if answered > CALLS / 2:
        raise NoEvidence(f"{answered} of {CALLS} calls were answered")
    return f"{CALLS - answered} calls were cancelled, {len(again)} events stored"


@asynccontextmanager
async def _calling(cluster: Cluster, organisation: str) -> AsyncIterator[GrpcDoor]:
    async with GrpcDoor(cluster.grpc_address, cluster.client(organisation)) as door:
        yield door


async def _refusal(door: GrpcDoor, method: str, content: bytes) -> grpc.StatusCode | None:
    """What a message is answered with."""
    metadata = await door.metadata()
    try:
        if method == "Publish":
            publish: Any = door.channel.unary_unary(f"{SERVICE}/{method}")
            await publish(content, metadata=metadata)
            return None
        call: Any = door.channel.stream_stream(f"{SERVICE}/{method}")(metadata=metadata)
        reading = asyncio.ensure_future(read(call))  # before the end can come
        with suppress(*LOST):
            await call.write(content)
        await reading
    except grpc.aio.AioRpcError as error:
        return error.code()
    return None


async def _publish(
    cluster: Cluster, door: GrpcDoor, event: Event, patience: float, metadata: Metadata
) -> bool:
    """One call of `Publish` that has so many seconds; whether it was answered."""
    sent, reply = time.monotonic(), Reply(Answer.UNKNOWN, 0)
    method = door.channel.unary_unary(
        f"{SERVICE}/Publish",
        request_serializer=messages.PublishRequest.SerializeToString,
        response_deserializer=messages.PublishResponse.FromString,
    )
    with suppress(grpc.aio.AioRpcError):
        request = messages.PublishRequest(event=to_message(event))
        stored = (await method(request, timeout=patience, metadata=metadata)).receipt
        reply = Reply(
            Answer.OK, 202, stored.shard, stored.sequence, stored.digest, stored.duplicate
        )
    cluster.run_log.attempt(attempt_of(event, 1, Kind.NEW, reply, sent))
    return reply.answer is Answer.OK


async def _cancelled_stream(
    cluster: Cluster, door: GrpcDoor, event: Event, patience: float, metadata: Metadata
) -> bool:
    """A stream that is cancelled with its chunk under way."""
    sent = time.monotonic()
    call = await door.publish_stream(metadata)
    with suppress(*LOST):
        await call.write(messages.PublishStreamRequest(open=messages.OpenStream()))
        chunk = messages.Chunk(number=1, events=[to_message(event)])
        await call.write(messages.PublishStreamRequest(chunk=chunk))
        await asyncio.sleep(patience)
    call.cancel()
    reply = Reply(Answer.UNKNOWN, 0)
    cluster.run_log.attempt(attempt_of(event, 1, Kind.NEW, reply, sent, streamed=True))
    return False
