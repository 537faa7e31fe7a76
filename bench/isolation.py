"""Fifty healthy subscriptions alone, and beside four that are stuck; in turns, in the same run.

The four: a consumer of a queue that never acknowledges, a puller that keeps its locks, an endpoint
that never answers and one that answers 500. All get every event.
"""

from statistics import median

from bench.events import TYPE
from bench.paced import quantiles
from bench.receivers import FAST, Receivers
from bench.results import Results, Value, by_round
from bench.say import say
from bench.scale import Scale
from bench.servers import Servers
from bench.site import Site
from bench.subscriber import Subscriber

MIX = {"webhook": 40, "pull": 6, "amqp": 4}
STUCK = {
    "stuck-queue": ("amqp", "keep"),
    "stuck-pull": ("pull", "keep"),
    "hanging": ("webhook", "hang"),
    "failing": ("webhook", "fail"),
}
TIMEOUT = 2.0  # seconds of a call
RATE = 10.0  # events a second; each is 50 deliveries
AIM = "1.2"


async def isolate(servers: Servers, scale: Scale, results: Results) -> None:
    """Measure the part `isolation`."""
    await servers.clone("isolation")
    healthy = {f"{way}-{n}": way for way, count in MIX.items() for n in range(count)}
    try:
        async with (
            Site(servers, "isolation", (1,), deliver=True) as site,
            Subscriber(site.port(1), servers.token) as subscriber,
            Receivers(servers, subscriber) as receivers,
        ):
            for name, way in healthy.items():
                await receivers.open(name, way, TYPE)
            names = list(healthy)
            await receivers.latencies(names, rate=RATE, seconds=scale.warm_up)
            alone, beside = [], []
            for number in range(scale.rounds):
                alone.append(await _p99(receivers, names, scale))
                beside.append(await _beside_stuck(receivers, names, scale))
                say(f"round {number + 1}: p99 {alone[-1]:.1f} ms, beside {beside[-1]:.1f} ms")
    finally:
        await servers.drop("isolation")
    await servers.queues.empty(servers.queue)
    mix = ", ".join(f"{count} {way}" for way, count in MIX.items())
    what = f"p99 of {len(healthy)} subscriptions ({mix}) at {RATE:.0f} events/s each"
    ratios = [b / a for a, b in zip(alone, beside, strict=True)]
    results.values += [
        Value("isolation_p99_ms", median(alone), "ms", f"{what}, alone"),
        Value("isolation_beside_p99_ms", median(beside), "ms", f"{what}, beside four stuck ones"),
        by_round("isolation_ratio", ratios, what, AIM),
    ]


async def _beside_stuck(receivers: Receivers, names: list[str], scale: Scale) -> float:
    for name, (way, behaviour) in STUCK.items():
        endpoint = {**FAST, "timeout": TIMEOUT}
        await receivers.open(name, way, TYPE, behaviour=behaviour, endpoint=endpoint)
    await receivers.latencies(names, rate=RATE, seconds=scale.warm_up)  # until they are stuck
    p99 = await _p99(receivers, names, scale)
    for name, (way, _) in STUCK.items():
        await receivers.close(name, way)
    return p99


async def _p99(receivers: Receivers, names: list[str], scale: Scale) -> float:
    found = await receivers.latencies(names, rate=RATE, seconds=scale.seconds / 2)
    return quantiles([each for seconds in found.values() for each in seconds])["p99"]
