"""The memory of each gateway process while very many events pass, and what idling costs."""

import asyncio
from dataclasses import replace

from bench.children import Service, fire
from bench.costs import resident
from bench.results import Results, Value
from bench.say import say
from bench.scale import Scale
from bench.servers import Servers
from bench.site import SETTLE, Site

WARM = 0.2  # part of the events after which buffers and caches should have their size
MIB = 1 << 20
CALM = 3.0  # seconds after the start until a process idles
IDLE = 5.0  # seconds of idling that are measured


async def measure_memory(servers: Servers, scale: Scale, results: Results) -> None:
    """Measure the part `memory`: what is held after the first fifth, and at the end."""
    await servers.clone("memory")
    try:
        async with Site(servers, "memory", (2,)) as site:
            results.values += await _idle(site)
            held = await _hold(servers, site, scale)
    finally:
        await servers.drop("memory")
    warm = max(0, round(WARM * scale.memory_events / scale.memory_step) - 1)
    growth, details = 0.0, []
    for name, sizes in held.items():
        grown = (sizes[-1] - sizes[warm]) / sizes[warm]
        growth = max(growth, grown)
        course = " ".join(f"{size / MIB:.0f}" for size in sizes)
        details.append(f"{name} {course}")
        results.values.append(
            Value(f"memory_{name}", sizes[-1] / MIB, "MiB", f"RSS per step: {course}")
        )
    results.values.append(
        Value(
            "memory_growth",
            growth,
            "share of RSS",
            f"the worst process, from {WARM:.0%} of {scale.memory_events:,} events to the end",
            "about 0",
        )
    )


async def _idle(site: Site) -> list[Value]:
    """CPU time of each part while nothing is published."""
    await asyncio.sleep(CALM)
    meter = site.meter()
    await asyncio.sleep(IDLE)
    spent = meter.per_event(1)
    return [
        Value(f"idle_cpu_{name}", cost / IDLE / 1000, "ms/s", "CPU while nothing is published")
        for name, cost in spent.items()
    ]


async def _hold(servers: Servers, site: Site, scale: Scale) -> dict[str, list[int]]:
    """RSS of each process after each step."""
    held: dict[str, list[int]] = {_name(each): [] for each in site.processes()}
    load = site.load(2, batch=scale.batch, connections=scale.batch_connections, seconds=SETTLE)
    for number in range(scale.memory_events // scale.memory_step):
        outcome = await fire(replace(load, requests=scale.memory_step // scale.batch))
        await site.settled()
        await servers.queues.expect(servers.queue, outcome.events)
        for process in site.processes():
            process.require_alive()
            assert process.pid is not None
            held[_name(process)].append(resident(process.pid))
        sizes = ", ".join(f"{name} {each[-1] / MIB:.0f}" for name, each in held.items())
        say(f"{(number + 1) * scale.memory_step:,} events: MiB {sizes}")
    return held


def _name(process: Service) -> str:
    return process.name.partition("-")[2].replace("api-2-0", "api_1").replace("api-2-1", "api_2")
