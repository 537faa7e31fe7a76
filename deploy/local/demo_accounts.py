"""Who takes part in the demo: clients, rights and queues, made over the public API."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import httpx

from adapters.client import Administration, Nusabus, Problem, Subscription
from deploy.local.credentials import Credentials
from deploy.local.demo_env import DemoEnv, variable
from deploy.local.demo_scenarios import Interest, interests
from deploy.local.gateway import ROOT

SCHEMAS = ROOT / "schemas"
TITLE = "Demo of make run"
ROLES = ("publisher", "subscriber")
PATIENCE = 10.0  # seconds; a change reaches every gateway process within one
T = TypeVar("T")


@dataclass(frozen=True)
class Accounts:
    """The connection of every organisation."""

    admin: Administration
    buses: Mapping[str, Nusabus]
    env: DemoEnv

    @property
    def interests(self) -> tuple[Interest, ...]:
        """Every queue of the scenarios."""
        return interests(self.buses)

    async def subscribe(self, interest: Interest) -> Subscription:
        """The subscription of an interest, with its AMQP URL. Grants what it takes."""
        for type in filter(lambda type: _needs_grant(interest.organisation, type), interest.types):
            await self.admin.grant(interest.organisation, "subscribe", type)
        bus = self.buses[interest.organisation]
        found = await _in_force(
            lambda: bus.subscribe(interest.name, interest.types, ordered=interest.ordered)
        )
        if found.amqp_url is not None:
            return self._keep(interest, found)
        known = self.env.get(variable(interest.organisation, interest.name, "amqp_url"))
        return replace(found, amqp_url=known) if known else await self.renew(interest)

    async def renew(self, interest: Interest) -> Subscription:
        """The subscription with a new AMQP URL, the old one being void."""
        bus = self.buses[interest.organisation]
        return self._keep(interest, await bus.renew(interest.name))

    async def active(self, interest: Interest) -> None:
        """Wait until RabbitMQ itself routes to the queue; before, the relay does it, later."""
        bus = self.buses[interest.organisation]
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                while (await bus.subscription(interest.name)).state != "active":  # noqa: ASYNC110 - another process
                    await asyncio.sleep(0.1)

    def _keep(self, interest: Interest, found: Subscription) -> Subscription:
        values = {"queue": found.queue, "amqp_url": found.amqp_url or ""}
        of = (interest.organisation, interest.name)
        self.env.put({variable(*of, name): value for name, value in values.items()})
        return found


@asynccontextmanager
async def open_accounts(url: str, operator: Credentials, file: Path) -> AsyncIterator[Accounts]:
    """Let every organisation of `schemas/` take part; `file` is `demo.env`. Safe to repeat."""
    env = DemoEnv(file)
    env.put({"NUSABUS_URL": url})
    env.keep("admin", operator)
    transport = httpx.AsyncHTTPTransport()  # one for all: making one reads the trust store
    async with AsyncExitStack() as stack:

        async def connect(who: Credentials) -> Nusabus:
            bus = Nusabus(url, who.client_id, who.client_secret, transport=transport)
            return await stack.enter_async_context(bus)

        admin = Administration(await connect(operator))
        names = sorted(folder.name for folder in SCHEMAS.iterdir())
        yield Accounts(admin, {name: await _join(name, env, admin, connect) for name in names}, env)


async def _join(
    organisation: str,
    env: DemoEnv,
    admin: Administration,
    connect: Callable[[Credentials], Awaitable[Nusabus]],
) -> Nusabus:
    """Connect with the credentials of last time, or with new ones where those do not work."""
    known = env.credentials(organisation)
    if known is not None:
        bus = await connect(known)
        if await _accepted(bus):
            return bus
    client = await admin.provide_client(organisation, TITLE, ROLES)
    fresh = Credentials(client, await admin.add_secret(client))
    env.keep(organisation, fresh)
    return await connect(fresh)


async def _accepted(bus: Nusabus) -> bool:
    try:
        await bus.call("GET", "/v1/organisations", params={"limit": 1})
    except Problem as problem:
        if problem.status != httpx.codes.UNAUTHORIZED:
            raise
        return False
    return True


async def _in_force(call: Callable[[], Awaitable[T]]) -> T:
    """The answer once a grant that another gateway process gave has reached this one."""
    deadline = asyncio.get_running_loop().time() + PATIENCE
    while True:
        try:
            return await call()
        except Problem as problem:
            if problem.code != "forbidden" or asyncio.get_running_loop().time() > deadline:
                raise
        await asyncio.sleep(0.1)


def _needs_grant(organisation: str, type: str) -> bool:
    owner = type.split(".")[2]
    contract = json.loads((SCHEMAS / owner / type / "contract.json").read_text())
    return owner != organisation and contract["classification"] != "public"
