"""Faults of the broker and the database."""

import asyncio
from collections.abc import Callable
from functools import partial

import httpx

from tests.faults.actors import Actors
from tests.faults.cluster import Cluster
from tests.faults.fault import Choices, NoEvidence
from tests.faults.run_log import Answer

IN_FLIGHT = 25  # events that must be accepted while the broker is silent
LOST = 120.0  # seconds until a queue without its log must be given up and made again
_FULL = """
CREATE FUNCTION disk_is_full() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'No space left on device' USING ERRCODE = 'disk_full'; END $$
"""
SAVED = 1.5  # seconds after which 3.10 has surely saved that a new queue exists (dets, auto_save)


async def kill_broker(cluster: Cluster, actors: Actors, choices: Choices) -> str:
    """The broker falls silent with publishes on their way to it, and is then killed."""
    rabbitmq = cluster.servers.rabbitmq
    pid = rabbitmq.pid
    await asyncio.sleep(SAVED)  # see lose_queue for what happens otherwise
    rabbitmq.pause()
    try:
        await _accept(cluster, IN_FLIGHT)
    finally:
        await asyncio.to_thread(rabbitmq.kill)
        gone = not rabbitmq.running
        await asyncio.to_thread(rabbitmq.start)
    if not gone or rabbitmq.pid == pid:
        raise NoEvidence("the broker was not killed")
    return f"node {pid} killed with {IN_FLIGHT} events accepted since it fell silent"


async def lose_queue(cluster: Cluster, actors: Actors, choices: Choices) -> str:
    """The broker is killed just after a queue was declared, and comes back without its log."""
    subscription = actors.subscribers["gempa"].subscription
    await cluster.until(partial(_active, cluster, subscription.name), "it did not become active")
    await cluster.admin.delete_queue(subscription.queue)
    await cluster.until(
        partial(_exists, cluster, subscription.queue), "the queue was not made again"
    )
    await asyncio.to_thread(cluster.servers.rabbitmq.kill)
    await asyncio.to_thread(cluster.servers.rabbitmq.start)
    await cluster.until(partial(_active, cluster, subscription.name), "it was not repaired", LOST)
    return f"{subscription.queue} was made again, the broker killed at once, and all repaired"


async def freeze_broker(cluster: Cluster, actors: Actors, choices: Choices) -> str:
    """SIGSTOP of the broker: its connections stay open and nothing answers; then it goes on."""
    rabbitmq = cluster.servers.rabbitmq
    rabbitmq.pause()
    try:
        await _accept(cluster, 4 * IN_FLIGHT)
        waiting = await cluster.backlog()
    finally:
        rabbitmq.resume()
    if not waiting:
        raise NoEvidence("events were relayed to a broker that stood still")
    return f"{waiting} entries waited while the broker stood still"


async def alarm_memory(cluster: Cluster, actors: Actors, choices: Choices) -> str:
    """The memory alarm: publishing connections are blocked, events are accepted all the same."""
    return await _alarm(cluster, cluster.servers.rabbitmq.set_memory_alarm)


async def alarm_disk(cluster: Cluster, actors: Actors, choices: Choices) -> str:
    """The same by the disk alarm."""
    limit = cluster.servers.rabbitmq.ctl
    return await _alarm(
        cluster, lambda on: limit("set_disk_free_limit", "100000GB" if on else "50MB")
    )


async def _alarm(cluster: Cluster, switch: Callable[[bool], object]) -> str:
    blocked = cluster.routes.broker_said["blocked"]
    await asyncio.to_thread(switch, True)
    try:
        await cluster.until(cluster.admin.alarmed, "the alarm did not go on")
        await _accept(cluster, IN_FLIGHT)
        await cluster.until(partial(_said, cluster, "blocked", blocked), "no relay was blocked")
    finally:
        await asyncio.to_thread(switch, False)
    return f"alarm seen, {cluster.routes.broker_said['blocked'] - blocked} connections blocked"


async def end_subscription(cluster: Cluster, actors: Actors, choices: Choices) -> str:
    """A subscription begins and ends while the broker takes nothing: nobody may wait for it."""
    rabbitmq, client = cluster.servers.rabbitmq, cluster.client("lkpp")
    plan = {"types": ["id.go.lkpp.*"], "ordered": True, "start": "now"}
    await asyncio.to_thread(rabbitmq.set_memory_alarm, True)
    try:
        await cluster.until(cluster.admin.alarmed, "the alarm did not go on")
        path = f"/v1/subscriptions/sementara-{choices.random.randrange(1 << 30)}"
        made = await client.call("PUT", path, plan)
        await _accept(cluster, 2 * IN_FLIGHT)
        ended = await client.call("DELETE", path)
    finally:
        await asyncio.to_thread(rabbitmq.set_memory_alarm, False)
    if (made.status_code, ended.status_code) != (201, 200):
        raise NoEvidence(f"answered {made.status_code} and {ended.status_code}")
    return f"{made.json()['queue']} came and went while the broker took nothing"


async def stop_postgres(cluster: Cluster, actors: Actors, choices: Choices) -> str:
    """PostgreSQL stops at once, as in a crash, and recovers."""
    postgres = cluster.servers.postgres
    pid, before = postgres.pid, len(cluster.run_log.attempts)
    await asyncio.to_thread(postgres.stop, "immediate")
    gone = not postgres.running
    try:
        await cluster.until(
            lambda: any(
                a.reply.answer is Answer.UNKNOWN for a in cluster.run_log.attempts[before:]
            ),
            "every event was answered while there was no database",
        )
    finally:
        await asyncio.to_thread(postgres.start)
    if not gone or postgres.pid == pid:
        raise NoEvidence("the database was not stopped")
    return f"postmaster {pid} stopped at once, {postgres.pid} recovered"


async def fill_disk(cluster: Cluster, actors: Actors, choices: Choices) -> str:
    """The disk of the database is full: the journal cannot grow, all else goes on.

    PostgreSQL raises what it raises then, so that the fault needs no disk of its own.
    """
    before = len(cluster.run_log.attempts)
    await cluster.query(_FULL)
    try:
        await cluster.query(
            "CREATE TRIGGER full_disk BEFORE INSERT ON journal_rows "
            "FOR EACH ROW EXECUTE FUNCTION disk_is_full()"
        )
        await cluster.until(partial(_ready, cluster, 503), "readiness did not say it")
        await cluster.until(
            lambda: sum(a.reply.status == 503 for a in cluster.run_log.attempts[before:]) >= 5,
            "events were accepted on a full disk",
        )
    finally:
        await cluster.query("DROP TRIGGER IF EXISTS full_disk ON journal_rows")
        await cluster.query("DROP FUNCTION disk_is_full()")
    await cluster.until(partial(_ready, cluster, 200), "it did not become ready again")
    return "readiness said that the disk was full, and that it was not any more"


async def _ready(cluster: Cluster, status: int) -> bool:
    """Whether readiness is this, asked on connections of their own, so of several processes."""
    async with httpx.AsyncClient() as client:
        found = [
            (await client.get(f"{cluster.url}/health/ready", headers={"connection": "close"}))
            for _ in range(6)
        ]
    return all(each.status_code == status for each in found)


async def _accept(cluster: Cluster, events: int) -> None:
    accepted = cluster.run_log.accepted
    await cluster.until(
        lambda: cluster.run_log.accepted >= accepted + events,
        "no event was accepted while the broker was silent",
    )


async def _active(cluster: Cluster, name: str) -> bool:
    state = await cluster.value("SELECT state FROM subscriptions WHERE name = $1", name)
    return bool(state == "active")


async def _exists(cluster: Cluster, queue: str) -> bool:
    return await cluster.admin.ready(queue) is not None


def _said(cluster: Cluster, what: str, before: int) -> bool:
    return cluster.routes.broker_said[what] > before
