"""The queues of the demo: rights and subscriptions, and the AMQP URLs that `demo.env` keeps."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from adapters.client import Problem, Subscription
from deploy.local.demo_accounts import SCHEMAS, Accounts
from deploy.local.demo_env import DemoEnv, variable
from deploy.local.demo_scenarios import SubscriptionPlan, subscription_plans

PATIENCE = 10.0  # seconds; a change reaches every gateway process within one
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue to read, and the URL of the one user who may."""

    plan: SubscriptionPlan
    name: str
    amqp_url: str


async def provide_queues(
    accounts: Accounts, env: DemoEnv, say: Callable[[str], None]
) -> list[Queue]:
    """The queue of every interest, with the right to it. What stands already is left as it is."""
    wanted = subscription_plans(accounts.buses)
    standing = await _existing(accounts)
    queues = []
    for number, each in enumerate(wanted, 1):
        say(f"Queue {number} of {len(wanted)}: {each} ...")
        queues.append(await _provide(each, standing.get(each.key), accounts, env))
    say("The relay takes the new queues over ...")
    await _wait_active(
        [each for each in wanted if not _is_active(standing.get(each.key))], accounts
    )
    return queues


async def renew(plan: SubscriptionPlan, accounts: Accounts, env: DemoEnv) -> Queue:
    """The queue with a new AMQP URL; the password in the old one is void."""
    subscription = await accounts.buses[plan.organisation].renew(plan.name)
    return _keep(plan, subscription, env)


async def _provide(
    plan: SubscriptionPlan, existing: Subscription | None, accounts: Accounts, env: DemoEnv
) -> Queue:
    bus = accounts.buses[plan.organisation]
    if existing is not None and not _is_of(plan, existing):
        await bus.unsubscribe(plan.name)  # an earlier version of the demo made it
        existing = None
    if not _is_active(existing):
        await _grant(plan, accounts)
    if existing is None:
        existing = await _in_force(
            lambda: bus.subscribe(plan.name, plan.types, ordered=plan.ordered)
        )
    if existing.amqp_url is not None:
        return _keep(plan, existing, env)
    known = env.get(_variables(plan)[1])
    if known is None:
        return await renew(plan, accounts, env)
    return Queue(plan, existing.queue or "", known)


async def _grant(plan: SubscriptionPlan, accounts: Accounts) -> None:
    """The right to each type that is neither the organisation's own nor public."""
    for type in plan.types:
        owner = type.split(".")[2]
        contract = json.loads((SCHEMAS / owner / type / "contract.json").read_text())
        if owner != plan.organisation and contract["classification"] != "public":
            await accounts.admin.grant(plan.organisation, "subscribe", type)


async def _in_force(call: Callable[[], Awaitable[T]]) -> T:
    """The answer once a grant given to one gateway process has reached the one that answers."""
    deadline = asyncio.get_running_loop().time() + PATIENCE
    while True:
        try:
            return await call()
        except Problem as problem:
            if problem.code != "forbidden" or asyncio.get_running_loop().time() > deadline:
                raise
        await asyncio.sleep(0.1)


async def _wait_active(new: Iterable[SubscriptionPlan], accounts: Accounts) -> None:
    """Wait until RabbitMQ itself routes to each; before, the relay does it, and takes longer."""
    deadline = asyncio.get_running_loop().time() + PATIENCE
    for plan in new:
        bus = accounts.buses[plan.organisation]
        while not (await bus.subscription(plan.name)).active:
            if asyncio.get_running_loop().time() > deadline:
                return
            await asyncio.sleep(0.1)


async def _existing(accounts: Accounts) -> dict[tuple[str, str], Subscription]:
    """Every subscription of every organisation."""
    lists = await asyncio.gather(*(bus.subscriptions() for bus in accounts.buses.values()))
    return {
        (organisation, subscription.name): subscription
        for organisation, found in zip(accounts.buses, lists, strict=True)
        for subscription in found
    }


def _is_active(subscription: Subscription | None) -> bool:
    return subscription is not None and subscription.active


def _is_of(plan: SubscriptionPlan, subscription: Subscription) -> bool:
    wanted = (set(plan.types), plan.ordered)
    return (set(subscription.types), subscription.ordered) == wanted


def _keep(plan: SubscriptionPlan, subscription: Subscription, env: DemoEnv) -> Queue:
    queue, url = subscription.queue or "", subscription.amqp_url or ""
    env.put(dict(zip(_variables(plan), (queue, url), strict=True)))
    return Queue(plan, queue, url)


def _variables(plan: SubscriptionPlan) -> tuple[str, str]:
    return variable(*plan.key, "queue"), variable(*plan.key, "amqp_url")
