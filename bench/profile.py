"""Where the gateway's processes spend their time, function by function.

Sampled, see bench.sampled_gateway: the sampler itself slows them down by a few percent, so these
runs are not part of any comparison.
"""

import asyncio
import json
import signal
from collections import Counter
from dataclasses import replace

import psutil
from rich.table import Table

from bench.children import Service, fire
from bench.contest import Batches, Single
from bench.sampled_gateway import OUTPUT
from bench.say import console
from bench.scale import Scale
from bench.servers import Servers
from bench.site import SETTLE, Site
from bench.waiting import until

SHOWN = 45  # functions of a table
EVERYWHERE = 0.98  # of the samples: what runs the program, not what the program does


async def profile(servers: Servers, scale: Scale) -> None:
    """Show a table for singles, batches and a drained backlog."""
    await servers.clone("profile")
    own = {OUTPUT: str(servers.folder / "samples")}
    try:
        async with Site(servers, "profile", (1,), runner="bench.sampled_gateway", own=own) as site:
            for contestant in (Single(servers, site, scale, 1), Batches(servers, site, scale, 1)):
                await contestant.run(scale.warm_up)
                stored, _ = await site.places()
                await _reset(servers, site)
                sample = await contestant.run(scale.seconds)
                events = (await site.places())[0] - stored
                for process in site.processes():
                    cost = sample.costs["relay" if process is site.relay else "service"]
                    await _show(
                        servers, process, f"{contestant.what}: {process.name}", events, cost
                    )
            await _drain(servers, site, scale)
    finally:
        await servers.drop("profile")


async def _drain(servers: Servers, site: Site, scale: Scale) -> None:
    """The relay alone, after its start: it is held back by SIGSTOP while events gather."""
    relay = psutil.Process(site.relay.pid)
    await _reset(servers, site)
    relay.send_signal(signal.SIGSTOP)
    load = site.load(1, batch=scale.batch, connections=scale.batch_connections, seconds=SETTLE)
    load = replace(load, requests=scale.backlog // scale.batch)
    try:
        outcome = await fire(load)
        meter = site.meter()
    finally:
        relay.send_signal(signal.SIGCONT)
    await site.settled()
    cost = meter.per_event(outcome.events)["relay"]
    await servers.queues.expect(servers.queue, outcome.events)
    await _show(servers, site.relay, "backlog: relay", outcome.events, cost)


async def _reset(servers: Servers, site: Site) -> None:
    for process in site.processes():
        await _dump(servers, process)


async def _dump(servers: Servers, process: Service) -> dict[str, dict[str, int]]:
    """What a process has noted since the last time."""
    assert process.pid is not None
    file = servers.folder / f"samples.{process.pid}"
    file.unlink(missing_ok=True)
    psutil.Process(process.pid).send_signal(signal.SIGUSR2)

    async def written() -> bool:
        return file.exists()

    await until(written, seconds=10, failure=f"{process.name} wrote no samples")
    found: dict[str, dict[str, int]] = await asyncio.to_thread(lambda: json.loads(file.read_text()))
    return found


async def _show(servers: Servers, process: Service, title: str, events: int, cost: float) -> None:
    """The functions by time in and below them; samples are scaled to the CPU time measured."""
    found = await _dump(servers, process)
    top, anywhere = Counter(found["top"]), Counter(found["anywhere"])
    scale = cost / max(1, top.total())
    table = Table(title=f"{title}: {cost:.1f} us/event of CPU, {top.total()} samples")
    for name in ("self us/event", "with callees us/event"):
        table.add_column(name, justify="right")
    table.add_column("function", no_wrap=True)
    inner = {name: count for name, count in anywhere.items() if count < EVERYWHERE * top.total()}
    for name, count in Counter(inner).most_common(SHOWN):
        table.add_row(f"{top[name] * scale:.2f}", f"{count * scale:.2f}", name)
    console.print(table)
