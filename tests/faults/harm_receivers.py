"""Faults of what receives: endpoints, consumers, credentials, and the processes that deliver."""

import asyncio
import signal
from functools import partial

import httpx

from tests.faults.children import Child
from tests.faults.endpoints import ALWAYS, HALF_OF_THE_TIME, Endpoint
from tests.faults.harm import Harm, NoEvidence
from tests.faults.servers import OPERATOR
from tests.faults.stage import Stage
from tests.faults.world import World

FROZEN = 5.0  # seconds, above the lease
WRITTEN = 0.4  # seconds, above the time between two writes and below the limit of a call
CAUGHT_UP = 90.0  # seconds
SOME = 10  # answers of a kind that must be seen
_HOLDER = """
SELECT holder FROM delivery_leases WHERE name = $1 AND expires > clock_timestamp()
"""


async def kill_deliver(world: World, stage: Stage, harm: Harm) -> str:
    """SIGKILL of a process with calls under way; another takes its webhooks over."""
    endpoint = _any_endpoint(stage, harm)
    child, before = await _delivering(world, endpoint), len(world.ledger.deliveries)
    async with endpoint.stuck():
        calls = await _calls(world, endpoint)
        await child.kill()
        ended = child.exit_code
        await world.until(lambda: not endpoint.under_way, "calls outlived their process")
    if ended != -signal.SIGKILL:
        raise NoEvidence(f"{child.name} ended with {ended}")
    if len(world.delivers) > 1:
        await _taken_over(world, endpoint, child)
    await child.start()
    await world.until(partial(_arrives, world, endpoint, before), "nothing was delivered any more")
    return f"{child.name} was killed with {calls} calls under way, others came"


async def freeze_deliver(world: World, stage: Stage, harm: Harm) -> str:
    """SIGSTOP of a process for longer than its lease, with calls under way; then it goes on."""
    endpoint = _any_endpoint(stage, harm)
    child = await _delivering(world, endpoint)
    async with endpoint.stuck():
        calls = await _calls(world, endpoint)
        child.signal(signal.SIGSTOP)
    await world.until(lambda: child.stopped, "the process did not stop")
    before = len(world.ledger.deliveries)
    await asyncio.gather(asyncio.sleep(FROZEN), _taken_over(world, endpoint, child))
    await world.until(partial(_arrives, world, endpoint, before), "nothing was delivered any more")
    child.signal(signal.SIGCONT)
    await world.until(lambda: not child.stopped, "the process did not go on")
    return f"{child.name} frozen for {FROZEN:.0f} s with {calls} calls under way, and replaced"


async def cut_endpoint(world: World, stage: Stage, harm: Harm) -> str:
    """The connections to an endpoint break while it has not answered."""
    endpoint = _any_endpoint(stage, harm)
    before = len(world.ledger.deliveries)
    async with endpoint.stuck():
        calls = await _calls(world, endpoint)
        severed = await endpoint.sever()
        await world.until(lambda: not endpoint.under_way, "calls outlived their connections")
    if not (severed and calls):
        raise NoEvidence("there was nothing to cut")
    await world.until(partial(_arrives, world, endpoint, before), "nothing was delivered any more")
    return f"{severed} connections with {calls} calls were cut, others came"


async def fail_endpoint(world: World, stage: Stage, harm: Harm) -> str:
    """Every endpoint answers 500 half of the time."""
    before = world.ledger.moods["fail"]
    for endpoint in stage.endpoints.values():
        endpoint.moods = HALF_OF_THE_TIME
    try:
        await world.until(
            lambda: world.ledger.moods["fail"] >= before + SOME, "nothing was answered with 500"
        )
    finally:
        for endpoint in stage.endpoints.values():
            endpoint.moods = ALWAYS
    return f"{world.ledger.moods['fail'] - before} deliveries were answered with 500"


async def forget_secret(world: World, stage: Stage, harm: Harm) -> str:
    """An endpoint loses its secret and refuses everything, until its owner renews it."""
    endpoint = _any_endpoint(stage, harm)
    before = world.ledger.moods["locked-out"]
    endpoint.forget()
    await world.until(
        lambda: world.ledger.moods["locked-out"] >= before + SOME, "nothing was refused"
    )
    refused, deliveries = world.ledger.moods["locked-out"] - before, len(world.ledger.deliveries)
    organisation = endpoint.interest.queue.split(".")[1]
    path = f"/v1/subscriptions/{endpoint.interest.name}/secrets"
    made = await world.door(organisation).call("POST", path, {"overlap_seconds": 0})
    endpoint.learn(made.json()["secret"])
    await world.until(
        partial(_arrives, world, endpoint, deliveries), "nothing verified with the new secret"
    )
    return f"{refused} deliveries were answered with 401, others verified with a new secret"


async def kill_consumer(world: World, stage: Stage, harm: Harm) -> str:
    """A consumer dies between the commit of an effect and its acknowledgement."""
    child = harm.random.choice(world.consumers)
    cuts = world.consumer_knife.cuts
    world.consumer_knife.arm("ack")
    await world.until(lambda: world.consumer_knife.cuts > cuts, "nothing was acknowledged")
    await child.kill()
    ended, pid = child.exit_code, child.pid
    await child.start()
    if ended != -signal.SIGKILL or pid:
        raise NoEvidence(f"{child.name} ended with {ended}")
    after = await _effects(world, child.name)

    async def goes_on() -> bool:
        return await _effects(world, child.name) > after

    await world.until(goes_on, "it handled nothing more")
    return f"{child.name} was killed when an acknowledgement was on its way, and went on"


async def rotate_credentials(world: World, stage: Stage, harm: Harm) -> str:
    """A subscriber's password is renewed before it knows of it, and its connections break."""
    subscriber = stage.subscribers["paralel"]
    refused, organisation = subscriber.refused, subscriber.interest.queue.split(".")[1]
    path = f"/v1/subscriptions/{subscriber.interest.name}/credentials"
    made = await world.door(organisation).call("POST", path)
    await world.to_subscribers.sever()
    await world.until(lambda: subscriber.refused > refused, "the old password is good still")
    before = len(world.ledger.deliveries)
    subscriber.url = made.json()["amqp_url"]
    await world.until(
        lambda: any(
            each.subscription == subscriber.interest.name
            for each in world.ledger.deliveries[before:]
        ),
        "nothing was delivered with the new password",
    )
    return f"refused {subscriber.refused - refused} times, then let in with another password"


async def withdraw_key(world: World, stage: Stage, harm: Harm) -> str:
    """Every access token ends at once: the key that signed them is withdrawn."""
    operator, receiving = world.door(OPERATOR), world.door("dukcapil")  # publishes nothing
    before, received_before = world.refused_tokens, receiving.refused
    keys = (await operator.call("GET", "/v1/signing-keys")).json()["items"]
    (active,) = (key["kid"] for key in keys if key["state"] == "active")
    await world.until(partial(_rotated, world), "the key could not be replaced")
    gone = await operator.call("DELETE", f"/v1/signing-keys/{active}")
    if gone.status_code not in (httpx.codes.NO_CONTENT, httpx.codes.NOT_FOUND):
        raise NoEvidence(f"the key was not withdrawn: {gone.text}")
    await world.until(
        lambda: receiving.refused > received_before and world.refused_tokens > before + 3,
        "tokens are good without their key",
    )
    return (
        f"{world.refused_tokens - before} requests were refused, of receivers "
        f"{receiving.refused - received_before}, and repeated with a new token"
    )


async def deep_queue(world: World, stage: Stage, harm: Harm) -> str:
    """A subscriber stops reading until the journal keeps what its queue does not take; it returns.

    Of an ordered subscription with several types, which is the hard case.
    """
    subscriber = stage.subscribers["urut"]
    name, queue = subscriber.interest.name, subscriber.interest.queue
    subscriber.pause()
    try:
        await world.until(partial(_diverted, world, name), "its queue took everything")
        held = await world.admin.ready(queue) or 0
    finally:
        subscriber.resume()
    await world.until(partial(_active, world, name), "it did not catch up", CAUGHT_UP)
    return f"diverted with {held} messages in {queue}, and caught up again"


async def _diverted(world: World, name: str) -> bool:
    return bool(
        await world.value("SELECT diverted IS NOT NULL FROM subscriptions WHERE name = $1", name)
    )


async def _active(world: World, name: str) -> bool:
    state = await world.value("SELECT state FROM subscriptions WHERE name = $1", name)
    return bool(state == "active")


async def _rotated(world: World) -> bool:
    """A key that was published a moment ago may not sign yet."""
    answer = await world.door(OPERATOR).call("POST", "/v1/signing-keys")
    return answer.status_code == httpx.codes.CREATED


def _any_endpoint(stage: Stage, harm: Harm) -> Endpoint:
    return harm.random.choice(list(stage.endpoints.values()))


async def _calls(world: World, endpoint: Endpoint) -> int:
    """How many calls of an endpoint that is stuck are under way.

    Whoever makes them has had the time to write down what it thinks of them.
    """
    await world.until(lambda: endpoint.under_way > 1, "no calls were under way")
    await asyncio.sleep(WRITTEN)
    return endpoint.under_way


async def _delivering(world: World, endpoint: Endpoint) -> Child:
    """The process that holds the lease of an endpoint's subscription."""
    holder = ""

    async def held() -> bool:
        nonlocal holder
        holder = await _holder(world, endpoint)
        return bool(holder)

    await world.until(held, "nobody delivers")
    return next(child for child in world.delivers if _is(child, holder))


async def _holder(world: World, endpoint: Endpoint) -> str:
    """Who holds it, as host-process-chance; empty where nobody does."""
    rows = await world.query(_HOLDER, endpoint.interest.name)
    return str(rows[0][0] or "") if rows else ""


def _is(child: Child, holder: str) -> bool:
    return holder.rsplit("-", 2)[1:2] == [str(child.pid)]


async def _taken_over(world: World, endpoint: Endpoint, child: Child) -> None:
    async def by_another() -> bool:
        holder = await _holder(world, endpoint)
        return bool(holder) and not _is(child, holder)

    await world.until(by_another, "nobody took the webhook over")


def _arrives(world: World, endpoint: Endpoint, before: int) -> bool:
    name = endpoint.interest.name
    return any(
        each.subscription == name and each.taken for each in world.ledger.deliveries[before:]
    )


async def _effects(world: World, name: str) -> int:
    return int(await world.value("SELECT count(*) FROM effects WHERE subscription = $1", name))
