"""What a neighbour notices of each attack of one small client.

For each attack, in turns and in the same run: the neighbour alone before and after it, and beside
it.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean, median

import httpx
import psutil

from bench.attacks import Attack, attacks, contract, event, hostile_schemas
from bench.children import answer_of
from bench.events import TYPE
from bench.failure import BenchFailure
from bench.paced import quantiles
from bench.receivers import FAST, Receivers
from bench.results import Results, Value, by_round
from bench.say import say
from bench.scale import Scale
from bench.servers import Servers
from bench.site import Site
from bench.subscriber import Subscriber, client_of, grant
from deploy.local.ports import LOOPBACK

ATTACKER = "bmkg"
ROLES = ("admin", "publisher", "subscriber")
RATE = 200.0  # events a second of the neighbour
DELIVERIES = 50.0  # a second, to the neighbour's endpoint
AIM = "1.2"
_Ratios = dict[str, list[float]]


@dataclass(frozen=True)
class _Noticed:
    """The neighbour's p99 in milliseconds, and what the api process spent meanwhile in seconds."""

    p99: float
    cpu: float


async def endure(servers: Servers, scale: Scale, results: Results) -> None:
    """Measure the part `hostile`."""
    await servers.clone("hostile")
    ratios: _Ratios = {}
    notes: dict[str, str] = {}
    try:
        async with Site(servers, "hostile", (1,), deliver=True) as site:
            every = await _attacks(servers, site)
            await _publish(servers, site, scale)
            alone = [await _publish(servers, site, scale)]
            for number in range(scale.rounds):
                for name, each in every.items():
                    beside, answers = await _beside(servers, site, scale, each)
                    alone.append(await _publish(servers, site, scale))
                    around = fmean(each.p99 for each in alone[-2:])
                    cost = 1000 * (beside.cpu - fmean(each.cpu for each in alone[-2:]))
                    cost /= max(1, sum(answers.values()))
                    ratios.setdefault(name, []).append(beside.p99 / around)
                    notes[name] = (
                        f"{each.what}; answers: {answers}, {cost:.1f} ms of the api's CPU for each"
                    )
                    say(f"round {number + 1}: p99 {around:.1f} ms, beside {name} "
                        f"{beside.p99:.1f} ms; {answers}, {cost:.1f} ms of CPU each")  # fmt: skip
            await _deliver(servers, site, scale, ratios)
            notes["retry-after"] = "an endpoint with a Retry-After that no calendar has; deliveries"
            for process in site.processes():
                process.require_alive()
    finally:
        await servers.drop("hostile")
    await servers.queues.empty(servers.queue)
    results.values += _values(ratios, notes, median(each.p99 for each in alone))


async def _attacks(servers: Servers, site: Site) -> Mapping[str, Attack]:
    """All of them, with a client of the attacker and what its contracts admit."""
    url = f"http://{LOOPBACK}:{site.port(1)}"
    async with httpx.AsyncClient(base_url=url, timeout=60) as http:
        token = await client_of(http, servers.operator, ATTACKER, ROLES)
        headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        heavy = []
        for number, (schema, data) in enumerate(hostile_schemas()):
            word = f"mahal{number}"
            body = contract(word, schema)
            answer = await http.post("/v1/contracts", content=body, headers=headers)
            if answer.status_code == httpx.codes.CREATED:
                heavy.append(event(word, data))
            elif answer.status_code != httpx.codes.UNPROCESSABLE_ENTITY:
                raise BenchFailure(f"a hostile contract: {answer.status_code} {answer.text}")
            say(f"hostile schema {number}: {answer.status_code} {answer.text[:100]}")
    return attacks(token, tuple(heavy))


async def _publish(servers: Servers, site: Site, scale: Scale) -> _Noticed:
    """What the neighbour notices. Raises BenchFailure unless all is accepted."""
    question = {
        "port": site.port(1),
        "token": servers.token,
        "rate": RATE,
        "seconds": scale.seconds,
    }
    before = _spent(site)
    answer = await answer_of("bench.paced_publisher", question)
    return _Noticed(float(answer["accepted"]["p99"]), _spent(site) - before)


def _spent(site: Site) -> float:
    return sum(sum(psutil.Process(each.pid).cpu_times()[:2]) for each in site.apis())


async def _beside(
    servers: Servers, site: Site, scale: Scale, attack: Attack
) -> tuple[_Noticed, dict[str, int]]:
    seconds = scale.seconds + 2 * scale.warm_up
    question = {**attack.question(), "port": site.port(1), "seconds": seconds}
    before = _spent(site)
    attacking = asyncio.create_task(answer_of("bench.attacker", question))
    await asyncio.sleep(scale.warm_up)
    noticed = await _publish(servers, site, scale)
    answers = await attacking
    await site.settled()
    return _Noticed(noticed.p99, _spent(site) - before), answers


async def _deliver(servers: Servers, site: Site, scale: Scale, ratios: _Ratios) -> None:
    """An endpoint of the attacker's, and what its neighbour's deliveries notice."""
    url = f"http://{LOOPBACK}:{site.port(1)}"
    async with httpx.AsyncClient(base_url=url, timeout=30) as http:
        token = await client_of(http, servers.operator, ATTACKER)
        await grant(http, servers.operator, ATTACKER, "subscribe", TYPE)
    async with (
        Subscriber(site.port(1), servers.token) as neighbour,
        Subscriber(site.port(1), token) as attacker,
        Receivers(servers, neighbour) as receivers,
    ):
        await receivers.open("healthy", "webhook", TYPE)
        await _delivered(receivers, scale)
        for _ in range(scale.rounds):
            alone = await _delivered(receivers, scale)
            await receivers.open(
                "odd", "webhook", TYPE, behaviour="later", by=attacker, endpoint=FAST
            )
            await receivers.latencies(["healthy"], rate=DELIVERIES, seconds=scale.warm_up)
            beside = await _delivered(receivers, scale)
            await attacker.end("odd")
            ratios.setdefault("retry-after", []).append(beside / alone)
            say(f"deliveries: p99 {alone:.1f} ms, beside retry-after {beside:.1f} ms")
        await neighbour.end("healthy")


async def _delivered(receivers: Receivers, scale: Scale) -> float:
    found = await receivers.latencies(["healthy"], rate=DELIVERIES, seconds=scale.seconds)
    return quantiles(found["healthy"])["p99"]


def _values(ratios: _Ratios, notes: Mapping[str, str], alone: float) -> list[Value]:
    what = f"p99 of a neighbour at {RATE:.0f} events/s"
    found = [Value("hostile_alone_p99_ms", alone, "ms", f"{what}, alone")]
    for name, each in ratios.items():
        key = f"hostile_{name.replace('-', '_')}"
        found.append(by_round(key, each, f"{what} beside {notes[name]}", AIM))
    return found
