"""A thousand subscriptions beside ten: making them, publishing past them, memory, idling.

Each event matches two subscriptions, however many there are. First all are AMQP queues, in a
virtual host of their own; then all are served from the journal, half by webhook and half by pull,
each with a receiver that waits. One gateway with one process of each kind.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

import httpx

from bench.children import Service, answer_of, fire
from bench.contract_fill import type_of
from bench.costs import resident
from bench.events import SCHEMAS, TYPE
from bench.receivers import FAST, Receivers
from bench.results import Results, Value
from bench.say import say
from bench.scale import Scale
from bench.servers import Servers
from bench.site import Site
from bench.subscriber import Subscriber, client_of, grant
from bench.waiting import until
from deploy.local.ports import LOOPBACK

FEW, MATCHING = 10, 2
TYPES = 20  # of which nothing is published
AT_ONCE = 8  # subscriptions that are being made
CALM, IDLE = 4.0, 5.0  # seconds until all is at rest, and of idling that are measured
LONG = 45.0  # seconds of making, after which fewer have to do
PATIENCE = 120.0
MIB = 1 << 20
ORGANISATIONS = sorted(each.name for each in SCHEMAS.iterdir() if each.is_dir())
NOT_READY = {
    "amqp": "SELECT count(*) FROM subscriptions WHERE state <> 'active'",
    "served": "SELECT count(*) FROM subscriptions s LEFT JOIN webhook_endpoints USING "
    "(organisation, name) WHERE s.delivery = 'webhook' AND agreed_url IS NULL",
}


@dataclass(frozen=True)
class Cost:
    """What so many subscriptions cost, by process."""

    rate: float  # events a second
    event: Mapping[str, float]  # microseconds of CPU
    idle: Mapping[str, float]  # milliseconds of CPU a second
    memory: Mapping[str, float]  # MiB


class SubscriptionSet:
    """Subscriptions of all organisations, `amqp` or `served`."""

    def __init__(
        self, servers: Servers, site: Site, kind: str, owners: Sequence[Subscriber], own: Receivers
    ) -> None:
        self._servers, self._site, self._kind = servers, site, kind
        self._owners, self._receivers = owners, own
        self.made = 0

    async def grow(self, to: int) -> float:
        """Make more, until there are so many or it takes LONG, and all receive; seconds."""
        began = time.monotonic()
        numbers = iter(range(self.made, to))

        async def work() -> None:
            while time.monotonic() < began + LONG and (number := next(numbers, None)) is not None:
                await self._make(number)
                self.made += 1

        await asyncio.gather(*(work() for _ in range(AT_ONCE)))
        made = time.monotonic() - began
        connection = await self._servers.connect(self._site.database)

        async def ready() -> bool:
            return int(await connection.fetchval(NOT_READY[self._kind])) == 0

        await until(ready, seconds=PATIENCE, failure="the subscriptions were not ready")
        await connection.close()
        seconds = time.monotonic() - began
        say(f"{self.made:,} {self._kind}: made after {made:.1f} s, all ready after {seconds:.1f} s")
        return seconds

    async def cost(self, seconds: float) -> Cost:
        """Idle, then publish."""
        await asyncio.sleep(CALM)
        meter = self._site.meter()
        await asyncio.sleep(IDLE)
        idle = {name: cost / IDLE / 1e3 for name, cost in meter.per_event(1).items()}
        load = self._site.load(1, batch=1, connections=16, seconds=seconds)
        meter = self._site.meter()
        outcome = await fire(load)
        await self._site.settled()
        if self._kind == "served":
            await self._receivers.gather(dict.fromkeys(self._matching, outcome.events))
        event = meter.per_event(outcome.events)
        pids = {"broker": self._servers.broker.pid, **_pids(self._site.processes())}
        memory = {name: resident(pid) / MIB for name, pid in pids.items() if pid is not None}
        say(f"  {outcome.rate:,.0f}/s; us/event {_line(event)}")
        say(f"  idle ms/s {_line(idle)}; MiB {_line(memory)}")
        return Cost(outcome.rate, event, idle, memory)

    @property
    def _matching(self) -> list[str]:
        return [f"crowd-{number}" for number in range(MATCHING)]

    async def _make(self, number: int) -> None:
        owner = self._owners[number % len(self._owners)]
        type = TYPE if number < MATCHING else type_of(number % TYPES)
        if self._kind == "amqp":
            await owner.make(f"crowd-{number}", type)
        else:
            way = ("webhook", "pull")[number % 2]
            await self._receivers.open(f"crowd-{number}", way, type, by=owner, endpoint=FAST)


async def subscribe(servers: Servers, scale: Scale, results: Results) -> None:
    """Measure the part `subscriptions`."""
    for kind in NOT_READY:
        async with _subscription_set(servers, kind) as subscription_set:
            await subscription_set.grow(FEW)
            few = await subscription_set.cost(scale.seconds / 2)
            seconds = await subscription_set.grow(scale.subscriptions)
            many = await subscription_set.cost(scale.seconds / 2)
        results.values += _values(kind, subscription_set.made, seconds, few, many)


@asynccontextmanager
async def _subscription_set(servers: Servers, kind: str) -> AsyncIterator[SubscriptionSet]:
    database = f"many_{kind}"
    async with AsyncExitStack() as stack:
        own = {"NUSABUS_AMQP_URL": await stack.enter_async_context(_host(servers, database))}
        await servers.clone(database)
        stack.push_async_callback(servers.drop, database)
        url = servers.settings(database, 0)["NUSABUS_DATABASE_URL"]
        await answer_of("bench.contract_fill", {"url": url, "first": 0, "last": TYPES})
        site = await stack.enter_async_context(Site(servers, database, (1,), own=own, deliver=True))
        port = site.port(1)
        http = await stack.enter_async_context(
            httpx.AsyncClient(base_url=f"http://{LOOPBACK}:{port}", timeout=60)
        )
        owners = []
        for organisation in ORGANISATIONS:
            await grant(http, servers.operator, organisation, "subscribe", "id.go.dukcapil.*")
            token = await client_of(http, servers.operator, organisation)
            owners.append(await stack.enter_async_context(Subscriber(port, token)))
        receivers = await stack.enter_async_context(Receivers(servers, owners[0]))
        yield SubscriptionSet(servers, site, kind, owners, receivers)


@asynccontextmanager
async def _host(servers: Servers, name: str) -> AsyncIterator[str]:
    """A virtual host, which ends with all its queues; the URL of it."""
    parts = urlsplit(servers.broker.amqp_url)
    async with httpx.AsyncClient(base_url=servers.broker.management_url, timeout=120) as http:
        (await http.put(f"/api/vhosts/{name}")).raise_for_status()
        rights = dict.fromkeys(("configure", "write", "read"), ".*")
        place = f"/api/permissions/{name}/{parts.username}"
        (await http.put(place, json=rights)).raise_for_status()
        try:
            yield urlunsplit(parts._replace(path=f"/{name}"))
        finally:
            (await http.delete(f"/api/vhosts/{name}")).raise_for_status()


def _pids(processes: Sequence[Service]) -> dict[str, int | None]:
    return {each.name.partition("-")[2].partition("-")[0]: each.pid for each in processes}


def _values(kind: str, count: int, seconds: float, few: Cost, many: Cost) -> list[Value]:
    what = f"{count:,} {kind} subscriptions"
    beside = f"{what}, {MATCHING} of which get an event"
    key = f"subscriptions_{kind}"
    found = [
        Value(f"{key}_count", count, "subscriptions", f"made within {LONG:.0f} s"),
        Value(f"{key}_make_s", seconds, "s", f"from {FEW} to {what}, until all receive"),
        Value(
            f"{key}_publish_vs_few",
            many.rate / few.rate,
            "ratio",
            f"{beside}: {many.rate:,.0f} events/s beside {few.rate:,.0f} with {FEW}",
        ),
    ]
    for unit, name, before, after in (
        ("us/event", "cpu", few.event, many.event),
        ("ms/s", "idle_cpu", few.idle, many.idle),
        ("MiB", "memory", few.memory, many.memory),
    ):
        found += [
            Value(f"{key}_{name}_{each}", after[each], unit, f"{beside}; {old:.1f} with {FEW}")
            for each, old in before.items()
        ]
    return found


def _line(found: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.0f}" for name, value in found.items())
