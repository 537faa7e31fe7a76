"""A backlog drained by the relay, beside the broker's own limit and beside aio-pika.

All three send messages of the same size to queues of the same kind, in alternating rounds.
"""

import asyncio
import time
from dataclasses import dataclass, replace
from typing import Any

from bench.children import answer_of, fire
from bench.costs import CpuMeter
from bench.events import EXCHANGE, TYPE
from bench.failure import BenchFailure
from bench.results import Results, Row, Sample, Value, ratio
from bench.say import say
from bench.scale import Scale
from bench.servers import Servers
from bench.site import SETTLE, Site

QUEUE = "bench.limit"
KINDS = {"direct": f"{EXCHANGE}.direct", "topic": f"{EXCHANGE}.topic"}
IN_FLIGHT = (500, 2_000, 16_000)  # a broker takes fewer a second when more wait in it
TRIAL = 3  # the part of the messages that each combination is tried with
LOOK = 0.02  # seconds between two looks at the cursors


@dataclass(frozen=True)
class _Way:
    key: str
    what: str
    count: int
    exchange: str = KINDS["direct"]  # as the relay's
    in_flight: int = IN_FLIGHT[0]


async def drain(servers: Servers, scale: Scale, results: Results) -> None:
    """Measure the part `relay`."""
    ours = _Way("relay", "relay draining a backlog", scale.backlog)
    theirs = _Way("aio-pika", "aio-pika publish, 500 in flight", scale.aio_pika_messages)
    samples: dict[str, list[Sample]] = {key: [] for key in ("limit", ours.key, theirs.key)}
    for kind, exchange in KINDS.items():
        await servers.queues.like(servers.queue, QUEUE, exchange, TYPE, kind)
    await servers.clone("relay")
    try:
        async with Site(servers, "relay", (2,)) as site:
            message = await _message(servers, site, scale)
            await _relay(servers, site, scale)  # warms up
            limit = await _best(servers, scale, message)
            for number in range(scale.rounds):
                samples[limit.key].append(await _publish(servers, limit, message))
                samples[ours.key].append(await _relay(servers, site, scale))
                samples[theirs.key].append(await _publish(servers, theirs, message))
                last = ", ".join(f"{key} {each[-1].rate:,.0f}/s" for key, each in samples.items())
                say(f"round {number + 1}: {last}")
    finally:
        await servers.drop("relay")
    rows = {
        way.key: Row(way.key.replace("-", "_"), way.what, tuple(samples[way.key]))
        for way in (ours, limit, theirs)
    }
    results.rows += rows.values()
    size = f"{len(message['body']) * 3 // 4} bytes of body, quorum queue, median of the rounds"
    results.values += [
        Value("relay_vs_broker_limit", ratio(rows["relay"], rows["limit"]), "ratio", size, "0.5"),
        Value(
            "relay_vs_aio_pika", ratio(rows["relay"], rows["aio-pika"]), "ratio", size, "above 1"
        ),
    ]


async def _best(servers: Servers, scale: Scale, message: dict[str, Any]) -> _Way:
    """How the broker takes most: by which exchange, and with how many messages in flight."""
    found: dict[_Way, float] = {}
    for kind, exchange in KINDS.items():
        for in_flight in IN_FLIGHT:
            what = f"broker's limit: prepared frames, {kind} exchange, {in_flight:,} in flight"
            way = _Way("limit", what, scale.prepared_messages // TRIAL, exchange, in_flight)
            found[way] = (await _publish(servers, way, message)).rate
            say(f"{what}: {found[way]:,.0f}/s")
    return replace(max(found, key=lambda way: found[way]), count=scale.prepared_messages)


async def _message(servers: Servers, site: Site, scale: Scale) -> dict[str, Any]:
    """One message as the relay makes it."""
    load = site.load(2, batch=scale.batch, connections=1, seconds=60)
    outcome = await fire(replace(load, requests=1))
    await site.settled()
    message = await servers.queues.sample(servers.queue)
    await servers.queues.expect(servers.queue, outcome.events - 1)
    return message


async def _relay(servers: Servers, site: Site, scale: Scale) -> Sample:
    """Publish while the relay is down, then start it; from its first step to its last."""
    await site.relay.stop()
    load = site.load(2, batch=scale.batch, connections=scale.batch_connections, seconds=SETTLE)
    outcome = await fire(replace(load, requests=scale.backlog // scale.batch))
    _, before = await site.places()
    await site.relay.start()
    first, meter, began = await _first_step(site, before)
    ended = await site.settled()
    stored, _ = await site.places()
    costs = meter.per_event(stored - first)
    costs.pop("service")  # the api processes have nothing to do
    await servers.queues.expect(servers.queue, outcome.events)
    return Sample((stored - first) / (ended - began), costs=costs)


async def _first_step(site: Site, before: int) -> tuple[int, CpuMeter, float]:
    """The first cursor beyond `before`, with a meter that starts there, and when that was."""
    deadline = time.monotonic() + SETTLE
    while True:
        _, relayed = await site.places()
        if relayed > before:
            return relayed, site.meter(), time.monotonic()
        if time.monotonic() > deadline:
            raise BenchFailure("the relay does not begin")
        site.relay.require_alive()
        await asyncio.sleep(LOOK)


async def _publish(servers: Servers, way: _Way, message: dict[str, Any]) -> Sample:
    meter = CpuMeter({"broker": servers.broker_pids}).start()
    answer = await answer_of(
        "bench.publishers",
        {
            "way": way.key,
            "url": servers.broker.amqp_url,
            "exchange": way.exchange,
            "in_flight": way.in_flight,
            "key": TYPE,
            "count": way.count,
            "message": message,
        },
    )
    costs = meter.per_event(way.count)
    costs["client"] = 1e6 * answer["cpu"] / way.count
    await servers.queues.expect(QUEUE, way.count)
    return Sample(way.count / answer["seconds"], costs=costs)
