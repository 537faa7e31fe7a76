"""Requests and their replies: the seeds' NIK validation, with a responder over AMQP.

A responder that pulls or is called gets its requests as every event comes by that way, which the
part `delivery` measures, and answers by a POST, which costs what publishing costs.
"""

from typing import Any

from bench.children import Service, answer_of
from bench.requester import PHASES, TYPE, Ask, as_question
from bench.responder import QUEUE, URL
from bench.results import Results, Value
from bench.say import say
from bench.scale import Scale
from bench.servers import Servers
from bench.site import Site
from bench.subscriber import Subscriber

SUBSCRIPTION = "bench-responder"
RATE = 200.0  # requests a second at which the latency counts
AIM = "50"  # milliseconds at the 99th percentile


async def exchange(servers: Servers, scale: Scale, results: Results, *, apis: int = 1) -> None:
    """Measure the part `requests`."""
    await servers.clone("requests")
    try:
        async with Site(servers, "requests", (apis,)) as site:
            responder = await _responder(servers, site, apis)
            try:
                await _measure(servers, site, scale, results, apis)
            finally:
                await responder.stop()
    finally:
        await servers.drop("requests")


async def _measure(servers: Servers, site: Site, scale: Scale, results: Results, apis: int) -> None:
    await _ask(servers, site, apis, rate=RATE, seconds=scale.warm_up)
    meter = site.meter()
    steady = await _ask(servers, site, apis, rate=RATE, seconds=scale.seconds)
    costs = meter.per_event(steady["requests"])
    say(f"CPU us/request: {', '.join(f'{name} {cost:.0f}' for name, cost in costs.items())}")
    fast = await _ask(servers, site, apis, rate=0, seconds=scale.seconds)
    what = f"NIK validation at {RATE:.0f} requests/s, responder with aio-pika, {apis} api process"
    results.values += [
        Value(f"requests_{name}_ms", value, "ms", what, AIM if name == "p99" else "")
        for name, value in steady["latency"].items()
    ]
    results.values += [
        Value(f"requests_{phase.replace(' ', '_')}_{name}_ms", value, "ms", what)
        for phase in PHASES
        for name, value in steady["phases"][phase].items()
        if name != "p95"
    ]
    most = f"the same, {scale.connections} connections that ask again at once"
    results.values += [
        Value("requests_rate", fast["rate"], "requests/s", most),
        Value("requests_full_p99_ms", fast["latency"]["p99"], "ms", most),
    ]


async def _ask(
    servers: Servers, site: Site, apis: int, *, rate: float, seconds: float
) -> dict[str, Any]:
    headers = {
        "Authorization": f"Bearer {servers.token}",
        "Content-Type": "application/cloudevents+json",
        "Prefer": "wait=20",
    }
    question = Ask(site.port(apis), headers, 64, rate, seconds)
    found = await answer_of("bench.requester", as_question(question))
    say(f"{rate or 'full':>5}: {found['rate']:.0f}/s, {_line(found['latency'])}")
    for phase in PHASES:
        say(f"      {phase:20} {_line(found['phases'][phase])}")
    return found


def _line(quantiles: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.1f} ms" for name, value in quantiles.items())


async def _responder(servers: Servers, site: Site, apis: int) -> Service:
    """Subscribe to the requests, and begin to answer."""
    async with Subscriber(site.port(apis), servers.token) as subscriber:
        made = await subscriber.subscribe(SUBSCRIPTION, TYPE)
    own = {URL: made["amqp_url"], QUEUE: made["queue"]}
    service = Service("responder", "-m", "bench.responder", folder=servers.folder, own=own)
    await service.start()
    return service
