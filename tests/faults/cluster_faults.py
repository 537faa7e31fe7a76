"""Faults that take hosts away: nodes of the broker, and the primary of the database."""

import asyncio
import time
from functools import partial

from deploy.local.postgres_pair import PostgresPair
from deploy.local.rabbitmq import RabbitMQ
from tests.faults.actors import Actors
from tests.faults.cluster import Cluster
from tests.faults.fault import Choices, NoEvidence
from tests.faults.server_faults import IN_FLIGHT, SAVED

JOINED = 90.0  # seconds until all members of all queues must be online again
# Seconds that the primary goes on alone: less than NUSABUS_APPEND_TIMEOUT. An append that gives up
# waiting for the standby is visible, so it could be delivered, and then be lost.
ISOLATED = 1.0
_UNAVAILABLE = "SELECT count(*) FROM subscriptions WHERE unavailable IS NOT NULL"
_REPAIRS = "SELECT sum(repairs)::bigint FROM subscriptions"
_HEADS = "SELECT json_object_agg(shard, last)::text FROM journal_shards"
_RELAYED = (
    "SELECT bool_and(cursor_sequence >= ($1::jsonb ->> shard::text)::bigint) FROM journal_leases"
)
FAILOVER = 20.0  # seconds in which a relay must reach another node and get confirms from it


async def kill_broker_node(cluster: Cluster, actors: Actors, choices: Choices) -> str:
    """SIGKILL of the node that the relays are connected to: they go on at another host."""
    await _require_whole(cluster)
    proxies = cluster.routes.to_brokers
    number = max(range(len(proxies)), key=lambda each: proxies[each].links)
    node = cluster.servers.broker.nodes[number]
    before = proxies[number].links
    others = [proxy for proxy in proxies if proxy is not proxies[number]]
    await asyncio.to_thread(node.kill)
    began = time.monotonic()
    try:
        await cluster.until(
            lambda: any(each.links for each in others), "no relay reached another node", FAILOVER
        )
        acks = cluster.routes.broker_said["ack"]
        await cluster.until(
            lambda: cluster.routes.broker_said["ack"] > acks, "no other node confirmed", FAILOVER
        )
        took, accepted = time.monotonic() - began, cluster.run_log.accepted
        await cluster.until(
            lambda: cluster.run_log.accepted >= accepted + IN_FLIGHT, "no event was accepted"
        )
        await _relay_what_is_accepted(cluster)
    finally:
        await _start(node)
    await _require_whole(cluster)
    if not before:
        raise NoEvidence(f"no relay was connected to {node.node}")
    return f"{node.node} killed with {before} connections; another confirmed after {took:.1f} s"


async def lose_majority(cluster: Cluster, actors: Actors, choices: Choices) -> str:
    """SIGKILL of two of three nodes, which lead most queues and hold messages; they come back."""
    await _require_whole(cluster)
    queues, repairs = await cluster.admin.queues(), await cluster.value(_REPAIRS)
    leaders = await cluster.admin.leaders()
    kept, *lost = sorted(cluster.servers.broker.nodes, key=lambda node: leaders[node.node])
    for subscriber in actors.subscribers.values():
        subscriber.pause()
    await cluster.until(
        partial(_hold, cluster, actors, len(actors.subscribers) // 2), "no messages"
    )
    await asyncio.gather(*(asyncio.to_thread(node.kill) for node in lost))
    for subscriber in actors.subscribers.values():
        subscriber.resume()
    accepted, seconds = cluster.run_log.accepted, cluster.options.majority_lost
    try:
        await asyncio.sleep(seconds)
        accepted = cluster.run_log.accepted - accepted
        unavailable = await cluster.value(_UNAVAILABLE)
        missing = queues - await cluster.admin.queues()
        if missing or await cluster.value(_REPAIRS) > repairs:
            cluster.run_log.incidents.append(f"queues were deleted without a majority: {missing}")
    finally:
        await _start(*lost)
    await _require_whole(cluster)
    if accepted < IN_FLIGHT:
        raise NoEvidence(f"{accepted} events were accepted without a majority")
    led = sum(leaders[node.node] for node in lost)
    return (
        f"all but {kept.node} killed for {seconds:.0f} s, with {led} leaders; {accepted} events "
        f"accepted, {unavailable} queues unavailable"
    )


async def fail_over_database(cluster: Cluster, actors: Actors, choices: Choices) -> str:
    """SIGKILL of the primary a moment after its standby has lost it; the standby takes over.

    So what was answered without the standby is gone.
    """
    pair = _pair(cluster)
    await asyncio.to_thread(pair.isolate_standby)
    accepted = cluster.run_log.accepted
    await asyncio.sleep(ISOLATED)
    accepted = cluster.run_log.accepted - accepted
    await asyncio.to_thread(pair.primary.kill)
    await asyncio.to_thread(pair.promote_standby)
    cluster.run_log.failovers += 1
    began, before = time.monotonic(), cluster.run_log.accepted
    try:
        await cluster.until(
            lambda: cluster.run_log.accepted >= before + IN_FLIGHT, "no event was accepted"
        )
        took = time.monotonic() - began
        await _relay_what_is_accepted(cluster)
        incarnations = await cluster.value("SELECT count(*) FROM journal_incarnations")
    finally:
        await asyncio.to_thread(pair.rejoin)
    if incarnations != cluster.run_log.failovers + 1:
        raise NoEvidence(f"the journal is in incarnation {incarnations}")
    return (
        f"{accepted} events accepted in {ISOLATED:.0f} s without the standby; {IN_FLIGHT} events "
        f"{took:.1f} s after it was promoted, in incarnation {incarnations}"
    )


def _pair(cluster: Cluster) -> PostgresPair:
    pair = cluster.servers.database
    assert isinstance(pair, PostgresPair)
    return pair


async def _hold(cluster: Cluster, actors: Actors, wanted: int) -> bool:
    """Whether so many queues hold messages that nobody has read."""
    queues = [each.subscription.queue for each in actors.subscribers.values()]
    return len([queue for queue in queues if await cluster.admin.ready(queue)]) >= wanted


async def _relay_what_is_accepted(cluster: Cluster) -> None:
    """Wait until everything that is in the journal now is relayed, whatever comes meanwhile."""
    heads = await cluster.value(_HEADS)

    async def relayed() -> bool:
        return bool(await cluster.value(_RELAYED, heads))

    # A relay goes to a new channel once a queue has refused a message for a minute.
    await cluster.until(relayed, "what was accepted is not relayed", JOINED)


async def _start(*nodes: RabbitMQ) -> None:
    await asyncio.gather(*(asyncio.to_thread(node.start) for node in nodes))


async def _require_whole(cluster: Cluster) -> None:
    """Wait until every queue has all of its members, and has surely saved that it exists."""

    async def whole() -> bool:
        return not await cluster.admin.degraded()

    await cluster.until(whole, "members of queues are missing", JOINED)
    await asyncio.sleep(SAVED)
