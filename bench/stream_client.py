"""A publisher over gRPC in a process of its own: streams of chunks, within a window of chunks.

Any answer but a receipt for every event ends it with a failure.
"""

import asyncio
import json
import os
import time
from collections.abc import Mapping
from typing import Any

import grpc

from adapters.client.grpc_publishing import METHOD
from adapters.client.wire import bus_pb2 as messages
from adapters.client.wire.cloudevents_pb2 import CloudEvent
from bench.answer import answer
from bench.events import event, fresh_prefix

WINDOW = 4  # chunks without an answer, of each stream


def message(prefix: bytes, number: int) -> CloudEvent:
    """The event that every contestant is given, in the protobuf format."""
    text = event(prefix, number)
    head, _, data = text.partition(b',"data":')
    document = json.loads(head + b"}")
    made = CloudEvent(spec_version=document.pop("specversion"), binary_data=data[:-1])
    for name in ("id", "source", "type"):
        setattr(made, name, document.pop(name))
    for name, value in document.items():
        made.attributes[name].ce_string = value
    return made


class _Run:
    """What the streams of one run share."""

    def __init__(self, question: Mapping[str, Any], until: float) -> None:
        self.question, self.until = question, until
        self.prefix, self.chunks = fresh_prefix(), 0
        self.latencies: list[float] = []

    def next(self) -> list[CloudEvent] | None:
        """The events of the next chunk, None when it is enough."""
        size = self.question["chunk"]
        if self.chunks >= self.question["chunks"] or time.monotonic() >= self.until:
            return None
        self.chunks += 1
        first = (self.chunks - 1) * size
        return [message(self.prefix, first + index) for index in range(size)]


async def _stream(run: _Run, channel: grpc.aio.Channel) -> None:
    call: Any = channel.stream_stream(
        METHOD,
        request_serializer=messages.PublishStreamRequest.SerializeToString,
        response_deserializer=messages.PublishStreamResponse.FromString,
    )(metadata=[("authorization", f"Bearer {run.question['token']}")])
    await call.write(messages.PublishStreamRequest(open=messages.OpenStream()))
    await call.read()
    sent: dict[int, float] = {}
    number, more = 0, True
    while more or sent:
        while more and len(sent) < WINDOW:
            events = run.next()
            if events is None:
                more = False
                break
            number += 1
            sent[number] = time.monotonic()
            chunk = messages.Chunk(number=number, events=events)
            await call.write(messages.PublishStreamRequest(chunk=chunk))
        if sent:
            result = (await call.read()).result
            if result.refused or sum(len(r.events) for r in result.stored) != run.question["chunk"]:
                raise SystemExit(f"a chunk was not accepted: {str(result)[:2000]}")
            run.latencies.append(time.monotonic() - sent.pop(result.number))
    await call.done_writing()


async def _carry_out(question: Mapping[str, Any]) -> dict[str, Any]:
    cpu, began = sum(os.times()[:2]), time.monotonic()
    run = _Run(question, began + question["seconds"])
    async with grpc.aio.insecure_channel(question["address"]) as channel:
        await asyncio.gather(*(_stream(run, channel) for _ in range(question["streams"])))
    ended, ranked = time.monotonic(), sorted(run.latencies)
    p50, p99 = (1000 * ranked[int((len(ranked) - 1) * part)] for part in (0.5, 0.99))
    return {
        "requests": run.chunks,
        "events": run.chunks * question["chunk"],
        "began": began,
        "ended": ended,
        "p50": p50,
        "p99": p99,
        "cpu": sum(os.times()[:2]) - cpu,
    }


def main() -> None:
    """Read what to send as JSON from standard input, write the outcome to standard output."""
    answer(_carry_out)


if __name__ == "__main__":
    main()
