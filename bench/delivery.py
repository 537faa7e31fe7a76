"""From publish to the receiver's hands, by each way of receiving; and how much comes at most.

All ways receive at the same time, so each event is handed out four times, and once more into a
queue that nobody reads. A latency counts from the moment at which the publish call was due. The
most that comes is measured on a backlog: from the first event in hands to the last.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from bench.children import fire
from bench.events import TYPE
from bench.paced import quantiles
from bench.receivers import CONCURRENCY, RATE, Receivers
from bench.results import Results, Value
from bench.say import say
from bench.scale import Scale
from bench.servers import Servers
from bench.site import Site
from bench.subscriber import Subscriber

WAYS = ("amqp", "webhook", "pull", "stream")
# Convoy's published p95 of webhooks, in milliseconds, by events a second.
RATES = {50.0: "124", 200.0: "127"}
ENDPOINTS = 10
PULLERS = 4


async def deliver(servers: Servers, scale: Scale, results: Results) -> None:
    """Measure the part `delivery`."""
    await servers.clone("delivery")
    try:
        async with (
            Site(servers, "delivery", (1,), deliver=True) as site,
            Subscriber(site.port(1), servers.token) as subscriber,
            Receivers(servers, subscriber) as receivers,
        ):
            results.values += await _latencies(receivers, site, scale)
            results.values += await _most(receivers, site, scale)
            stored, _ = await site.places()
            await site.settled()
            await servers.queues.expect(servers.queue, stored)
    finally:
        await servers.drop("delivery")


async def _latencies(receivers: Receivers, site: Site, scale: Scale) -> list[Value]:
    for way in WAYS:
        await receivers.open(way, way, TYPE)
    await receivers.latencies(WAYS, rate=50, seconds=scale.warm_up)
    found = []
    for rate, aim in RATES.items():
        meter = site.meter()
        seconds = await receivers.latencies(WAYS, rate=rate, seconds=scale.seconds)
        costs = meter.per_event(len(seconds[WAYS[0]]))
        say(f"{rate:.0f}/s, CPU us: {', '.join(f'{k} {v:.0f}' for k, v in costs.items())}")
        for way in WAYS:
            what = f"publish due to in hands, {rate:.0f} events/s, {', '.join(WAYS)} together"
            found += [
                Value(f"delivery_{way}_{rate:.0f}_{name}_ms", value, "ms", what, _aim(name, aim))
                for name, value in quantiles(seconds[way]).items()
            ]
            say(f"  {way}: {_line(seconds[way])}")
    for way in WAYS:
        await receivers.close(way, way)
    return found


async def _most(receivers: Receivers, site: Site, scale: Scale) -> list[Value]:
    """Let subscriptions begin at the beginning of what is there by now."""
    stored, _ = await site.places()
    one = await _drain(receivers, "webhook", ["one"], stored)
    many = await _drain(receivers, "webhook", [f"many-{n}" for n in range(ENDPOINTS)], stored)
    webhooks = f"a backlog of {stored:,} events, one deliver process, concurrency {CONCURRENCY}"
    load = site.load(1, batch=scale.batch, connections=4, seconds=60)
    await fire(replace(load, requests=scale.pulled_backlog // scale.batch))
    stored, _ = await site.places()
    pulled = await _drain(receivers, "pull", ["pulled"], stored, readers=PULLERS)
    acknowledged = f"{PULLERS} receivers, a backlog of {stored:,} events, all acknowledged"
    return [
        Value(
            "webhook_one_rate",
            one,
            "deliveries/s",
            f"one endpoint, its rate at most {RATE:,.0f}/s; {webhooks}",
        ),
        Value("webhook_many_rate", many, "deliveries/s", f"{ENDPOINTS} endpoints; {webhooks}"),
        Value("pull_rate", pulled, "events/s", acknowledged),
    ]


async def _drain(
    receivers: Receivers, way: str, names: Sequence[str], stored: int, *, readers: int = 1
) -> float:
    """Deliveries a second, from the first to the last."""
    opening = (
        receivers.open(name, way, TYPE, start="beginning", readers=readers) for name in names
    )
    await asyncio.gather(*opening)
    received = await receivers.gather(dict.fromkeys(names, stored))
    for name in names:
        await receivers.close(name, way)
    times = sorted(at for events in received.values() for _, at in events)
    rate = (len(times) - 1) / (times[-1] - times[0])
    say(f"{way}, {len(names)} subscription(s): {rate:,.0f}/s")
    return rate


def _aim(name: str, p95: str) -> str:
    return p95 if name == "p95" else ""


def _line(seconds: Sequence[float]) -> str:
    return ", ".join(f"{name} {value:.1f} ms" for name, value in quantiles(seconds).items())
