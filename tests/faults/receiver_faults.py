"""Faults of what receives: endpoints, consumers, credentials, and the processes that deliver."""

import asyncio
import signal
from functools import partial

import httpx

from tests.faults.actors import Actors
from tests.faults.children import Child
from tests.faults.cluster import Cluster
from tests.faults.endpoints import ALWAYS, HALF_OF_THE_TIME, Endpoint
from tests.faults.fault import Choices, NoEvidence
from tests.faults.servers import OPERATOR

FROZEN = 5.0  # seconds, above the lease
WRITTEN = 0.4  # seconds, above the time between two writes and below the limit of a call
CAUGHT_UP = 90.0  # seconds
SOME = 10  # answers of a kind that must be seen
_HOLDER = """
SELECT holder FROM delivery_leases WHERE name = $1 AND expires > clock_timestamp()
"""


async def kill_deliver(cluster: Cluster, actors: Actors, choices: Choices) -> str:
    """SIGKILL of a process with calls under way; another takes its webhooks over."""
    endpoint = _any_endpoint(actors, choices)
    child, before = await _delivering(cluster, endpoint), len(cluster.run_log.deliveries)
    async with endpoint.stuck():
        calls = await _calls(cluster, endpoint)
        await child.kill()
        ended = child.exit_code
        await cluster.until(lambda: not endpoint.under_way, "calls outlived their process")
    if ended != -signal.SIGKILL:
        raise NoEvidence(f"{child.name} ended with {ended}")
    if len(cluster.delivers) > 1:
        await _taken_over(cluster, endpoint, child)
    await child.start()
    await cluster.until(
        partial(_arrives, cluster, endpoint, before), "nothing was delivered any more"
    )
    return f"{child.name} was killed with {calls} calls under way, others came"


async def freeze_deliver(cluster: Cluster, actors: Actors, choices: Choices) -> str:
    """SIGSTOP of a process for longer than its lease, with calls under way; then it goes on."""
    endpoint = _any_endpoint(actors, choices)
    child = await _delivering(cluster, endpoint)
    async with endpoint.stuck():
        calls = await _calls(cluster, endpoint)
        child.signal(signal.SIGSTOP)
    await cluster.until(lambda: child.stopped, "the process did not stop")
    before = len(cluster.run_log.deliveries)
    await asyncio.gather(asyncio.sleep(FROZEN), _taken_over(cluster, endpoint, child))
    await cluster.until(
        partial(_arrives, cluster, endpoint, before), "nothing was delivered any more"
    )
    await cluster.wake(child, "delivery_dispatchers")
    return f"{child.name} frozen for {FROZEN:.0f} s with {calls} calls under way, and replaced"


async def cut_endpoint(cluster: Cluster, actors: Actors, choices: Choices) -> str:
    """The connections to an endpoint break while it has not answered."""
    endpoint = _any_endpoint(actors, choices)
    before = len(cluster.run_log.deliveries)
    async with endpoint.stuck():
        calls = await _calls(cluster, endpoint)
        severed = await endpoint.sever()
        await cluster.until(lambda: not endpoint.under_way, "calls outlived their connections")
    if not (severed and calls):
        raise NoEvidence("there was nothing to cut")
    await cluster.until(
        partial(_arrives, cluster, endpoint, before), "nothing was delivered any more"
    )
    return f"{severed} connections with {calls} calls were cut, others came"


async def fail_endpoint(cluster: Cluster, actors: Actors, choices: Choices) -> str:
    """Every endpoint answers 500 half of the time."""
    before = cluster.run_log.actions["fail"]
    for endpoint in actors.endpoints.values():
        endpoint.actions = HALF_OF_THE_TIME
    try:
        await cluster.until(
            lambda: cluster.run_log.actions["fail"] >= before + SOME,
            "nothing was answered with 500",
        )
    finally:
        for endpoint in actors.endpoints.values():
            endpoint.actions = ALWAYS
    return f"{cluster.run_log.actions['fail'] - before} deliveries were answered with 500"


async def forget_secret(cluster: Cluster, actors: Actors, choices: Choices) -> str:
    """An endpoint loses its secret and refuses everything, until its owner renews it."""
    endpoint = _any_endpoint(actors, choices)
    before = cluster.run_log.actions["locked-out"]
    endpoint.forget()
    await cluster.until(
        lambda: cluster.run_log.actions["locked-out"] >= before + SOME, "nothing was refused"
    )
    refused, deliveries = (
        cluster.run_log.actions["locked-out"] - before,
        len(cluster.run_log.deliveries),
    )
    organisation = endpoint.subscription.queue.split(".")[1]
    path = f"/v1/subscriptions/{endpoint.subscription.name}/secrets"
    made = await cluster.client(organisation).call("POST", path, {"overlap_seconds": 0})
    endpoint.learn(made.json()["secret"])
    await cluster.until(
        partial(_arrives, cluster, endpoint, deliveries), "nothing verified with the new secret"
    )
    return f"{refused} deliveries were answered with 401, others verified with a new secret"


async def kill_consumer(cluster: Cluster, actors: Actors, choices: Choices) -> str:
    """A consumer dies between the commit of an effect and its acknowledgement."""
    child = choices.random.choice(cluster.consumers)
    cuts = cluster.routes.consumer_cutter.cuts
    cluster.routes.consumer_cutter.arm("ack")
    await cluster.until(
        lambda: cluster.routes.consumer_cutter.cuts > cuts, "nothing was acknowledged"
    )
    await child.kill()
    ended, pid = child.exit_code, child.pid
    await child.start()
    if ended != -signal.SIGKILL or pid:
        raise NoEvidence(f"{child.name} ended with {ended}")
    after = await _effects(cluster, child.name)

    async def goes_on() -> bool:
        return await _effects(cluster, child.name) > after

    await cluster.until(goes_on, "it handled nothing more")
    return f"{child.name} was killed when an acknowledgement was on its way, and went on"


async def rotate_credentials(cluster: Cluster, actors: Actors, choices: Choices) -> str:
    """A subscriber's password is renewed before it knows of it, and its connections break."""
    subscriber = actors.subscribers["paralel"]
    refused, organisation = subscriber.refused, subscriber.subscription.queue.split(".")[1]
    path = f"/v1/subscriptions/{subscriber.subscription.name}/credentials"
    made = await cluster.client(organisation).call("POST", path)
    await cluster.routes.to_subscribers.sever()
    await cluster.until(lambda: subscriber.refused > refused, "the old password is good still")
    before = len(cluster.run_log.deliveries)
    subscriber.url = made.json()["amqp_url"]
    await cluster.until(
        lambda: any(
            each.subscription == subscriber.subscription.name
            for each in cluster.run_log.deliveries[before:]
        ),
        "nothing was delivered with the new password",
    )
    return f"refused {subscriber.refused - refused} times, then let in with another password"


async def withdraw_key(cluster: Cluster, actors: Actors, choices: Choices) -> str:
    """Every access token ends at once: the key that signed them is withdrawn."""
    operator, receiving = cluster.client(OPERATOR), cluster.client("dukcapil")  # publishes nothing
    before, received_before = cluster.refused_tokens, receiving.refused
    keys = (await operator.call("GET", "/v1/signing-keys")).json()["items"]
    (active,) = (key["kid"] for key in keys if key["state"] == "active")
    await cluster.until(partial(_rotated, cluster), "the key could not be replaced")
    gone = await operator.call("DELETE", f"/v1/signing-keys/{active}")
    if gone.status_code not in (httpx.codes.NO_CONTENT, httpx.codes.NOT_FOUND):
        raise NoEvidence(f"the key was not withdrawn: {gone.text}")
    await cluster.until(
        lambda: receiving.refused > received_before and cluster.refused_tokens > before + 3,
        "tokens are good without their key",
    )
    return (
        f"{cluster.refused_tokens - before} requests were refused, of receivers "
        f"{receiving.refused - received_before}, and repeated with a new token"
    )


async def deep_queue(cluster: Cluster, actors: Actors, choices: Choices) -> str:
    """A subscriber stops reading until the journal keeps what its queue does not take; it returns.

    Of an ordered subscription with several types, which is the hard case.
    """
    subscriber = actors.subscribers["urut"]
    name, queue = subscriber.subscription.name, subscriber.subscription.queue
    # While it catches up from an earlier fault, the relay itself keeps its queue short.
    await cluster.until(partial(_active, cluster, name), "it did not catch up before", CAUGHT_UP)
    subscriber.pause()
    try:
        await cluster.until(partial(_diverted, cluster, name), "its queue took everything")
        held = await cluster.admin.ready(queue) or 0
    finally:
        subscriber.resume()
    await cluster.until(partial(_active, cluster, name), "it did not catch up", CAUGHT_UP)
    return f"diverted with {held} messages in {queue}, and caught up again"


async def _diverted(cluster: Cluster, name: str) -> bool:
    return bool(
        await cluster.value("SELECT diverted IS NOT NULL FROM subscriptions WHERE name = $1", name)
    )


async def _active(cluster: Cluster, name: str) -> bool:
    state = await cluster.value("SELECT state FROM subscriptions WHERE name = $1", name)
    return bool(state == "active")


async def _rotated(cluster: Cluster) -> bool:
    """A key that was published a moment ago may not sign yet."""
    answer = await cluster.client(OPERATOR).call("POST", "/v1/signing-keys")
    return answer.status_code == httpx.codes.CREATED


def _any_endpoint(actors: Actors, choices: Choices) -> Endpoint:
    return choices.random.choice(list(actors.endpoints.values()))


async def _calls(cluster: Cluster, endpoint: Endpoint) -> int:
    """How many calls of an endpoint that is stuck are under way.

    Whoever makes them has had the time to write down what it thinks of them.
    """
    await cluster.until(lambda: endpoint.under_way > 1, "no calls were under way")
    await asyncio.sleep(WRITTEN)
    return endpoint.under_way


async def _delivering(cluster: Cluster, endpoint: Endpoint) -> Child:
    """The process that holds the lease of an endpoint's subscription."""
    holder = ""

    async def held() -> bool:
        nonlocal holder
        holder = await _holder(cluster, endpoint)
        return bool(holder)

    await cluster.until(held, "nobody delivers")
    return next(child for child in cluster.delivers if _is(child, holder))


async def _holder(cluster: Cluster, endpoint: Endpoint) -> str:
    """Who holds it, as host-process-chance; empty where nobody does."""
    rows = await cluster.query(_HOLDER, endpoint.subscription.name)
    return str(rows[0][0] or "") if rows else ""


def _is(child: Child, holder: str) -> bool:
    return holder.rsplit("-", 2)[1:2] == [str(child.pid)]


async def _taken_over(cluster: Cluster, endpoint: Endpoint, child: Child) -> None:
    async def by_another() -> bool:
        holder = await _holder(cluster, endpoint)
        return bool(holder) and not _is(child, holder)

    await cluster.until(by_another, "nobody took the webhook over")


def _arrives(cluster: Cluster, endpoint: Endpoint, before: int) -> bool:
    name = endpoint.subscription.name
    return any(
        each.subscription == name and each.taken for each in cluster.run_log.deliveries[before:]
    )


async def _effects(cluster: Cluster, name: str) -> int:
    return int(await cluster.value("SELECT count(*) FROM effects WHERE subscription = $1", name))
