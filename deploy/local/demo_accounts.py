"""Who takes part in the demo: a client of every organisation, made over the public API."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import httpx

from adapters.client import Administration, Nusabus, Problem
from deploy.local.credentials import Credentials
from deploy.local.demo_env import DemoEnv
from deploy.local.gateway import ROOT

SCHEMAS = ROOT / "schemas"
TITLE = "Demo of make run"
ROLES = ("publisher", "subscriber")
TOGETHER = 8  # calls under way
Connect = Callable[[Credentials], Awaitable[Nusabus]]


@dataclass(frozen=True, slots=True)
class Accounts:
    """The connection of every organisation, and the administrator's."""

    admin: Administration
    buses: Mapping[str, Nusabus]


@asynccontextmanager
async def open_accounts(url: str, operator: Credentials, env: DemoEnv) -> AsyncIterator[Accounts]:
    """Let every organisation of `schemas/` take part. Safe to repeat."""
    env.put({"NUSABUS_URL": url})
    env.keep("admin", operator)
    # One for all: making one reads the trust store.
    transport = httpx.AsyncHTTPTransport(limits=httpx.Limits(max_connections=TOGETHER))
    async with AsyncExitStack() as stack:

        async def connect(who: Credentials) -> Nusabus:
            bus = Nusabus(url, who.client_id, who.client_secret, transport=transport)
            return await stack.enter_async_context(bus)

        admin = Administration(await connect(operator))
        names = sorted(file.parent.name for file in SCHEMAS.glob("*/organisation.json"))
        joined = await asyncio.gather(*(_join(name, env, admin, connect) for name in names))
        yield Accounts(admin, dict(zip(names, joined, strict=True)))


async def _join(
    organisation: str, env: DemoEnv, admin: Administration, connect: Connect
) -> Nusabus:
    """Connect with the credentials of last time, or with new ones where these do not work."""
    known = env.credentials(organisation)
    if known is not None:
        bus = await connect(known)
        if await _accepted(bus):
            return bus
    client = await admin.provide_client(organisation, TITLE, ROLES)
    fresh = Credentials(client, await admin.add_secret(client))
    env.keep(organisation, fresh)
    # The secret that went made the AMQP passwords: they go with it.
    env.forget(organisation, "amqp_url")
    return await connect(fresh)


async def _accepted(bus: Nusabus) -> bool:
    try:
        await bus.call("GET", "/v1/organisations", params={"limit": 1})
    except Problem as problem:
        if problem.status != httpx.codes.UNAUTHORIZED:
            raise
        return False
    return True
