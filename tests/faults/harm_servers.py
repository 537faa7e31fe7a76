"""Faults of the broker and the database."""

import asyncio
from collections.abc import Callable
from functools import partial

from tests.faults.harm import Harm, NoEvidence
from tests.faults.ledger import Answer
from tests.faults.stage import Stage
from tests.faults.world import World

IN_FLIGHT = 25  # events that must be accepted while the broker is silent
LOST = 120.0  # seconds until a queue without its log must be given up and made again
SAVED = 1.5  # seconds after which 3.10 has surely saved that a new queue exists (dets, auto_save)


async def kill_broker(world: World, stage: Stage, harm: Harm) -> str:
    """The broker falls silent with publishes on their way to it, and is then killed."""
    rabbitmq = world.servers.rabbitmq
    pid = rabbitmq.pid
    await asyncio.sleep(SAVED)  # see lose_queue for what happens otherwise
    rabbitmq.pause()
    try:
        await _accept(world, IN_FLIGHT)
    finally:
        await asyncio.to_thread(rabbitmq.kill)
        gone = not rabbitmq.running
        await asyncio.to_thread(rabbitmq.start)
    if not gone or rabbitmq.pid == pid:
        raise NoEvidence("the broker was not killed")
    return f"node {pid} killed with {IN_FLIGHT} events accepted since it fell silent"


async def lose_queue(world: World, stage: Stage, harm: Harm) -> str:
    """The broker is killed just after a queue was declared, and comes back without its log."""
    interest = stage.subscribers["gempa"].interest
    await world.until(partial(_active, world, interest.name), "it did not become active")
    await world.admin.delete_queue(interest.queue)
    await world.until(partial(_exists, world, interest.queue), "the queue was not made again")
    await asyncio.to_thread(world.servers.rabbitmq.kill)
    await asyncio.to_thread(world.servers.rabbitmq.start)
    await world.until(partial(_active, world, interest.name), "it was not repaired", LOST)
    return f"{interest.queue} was made again, the broker killed at once, and all repaired"


async def freeze_broker(world: World, stage: Stage, harm: Harm) -> str:
    """SIGSTOP of the broker: its connections stay open and nothing answers; then it goes on."""
    rabbitmq = world.servers.rabbitmq
    rabbitmq.pause()
    try:
        await _accept(world, 4 * IN_FLIGHT)
        waiting = await world.backlog()
    finally:
        rabbitmq.resume()
    if not waiting:
        raise NoEvidence("events were relayed to a broker that stood still")
    return f"{waiting} entries waited while the broker stood still"


async def alarm_memory(world: World, stage: Stage, harm: Harm) -> str:
    """The memory alarm: publishing connections are blocked, events are accepted all the same."""
    return await _alarm(world, world.servers.rabbitmq.set_memory_alarm)


async def alarm_disk(world: World, stage: Stage, harm: Harm) -> str:
    """The same by the disk alarm."""
    limit = world.servers.rabbitmq.ctl
    return await _alarm(
        world, lambda on: limit("set_disk_free_limit", "100000GB" if on else "50MB")
    )


async def _alarm(world: World, switch: Callable[[bool], object]) -> str:
    blocked = world.broker_said["blocked"]
    await asyncio.to_thread(switch, True)
    try:
        await world.until(world.admin.alarmed, "the alarm did not go on")
        await _accept(world, IN_FLIGHT)
        await world.until(partial(_said, world, "blocked", blocked), "no relay was blocked")
    finally:
        await asyncio.to_thread(switch, False)
    return f"alarm seen, {world.broker_said['blocked'] - blocked} connections blocked"


async def end_subscription(world: World, stage: Stage, harm: Harm) -> str:
    """A subscription begins and ends while the broker takes nothing: nobody may wait for it."""
    rabbitmq, door = world.servers.rabbitmq, world.door("lkpp")
    wish = {"types": ["id.go.lkpp.*"], "ordered": True, "start": "now"}
    await asyncio.to_thread(rabbitmq.set_memory_alarm, True)
    try:
        await world.until(world.admin.alarmed, "the alarm did not go on")
        path = f"/v1/subscriptions/sementara-{harm.random.randrange(1 << 30)}"
        made = await door.call("PUT", path, wish)
        await _accept(world, 2 * IN_FLIGHT)
        ended = await door.call("DELETE", path)
    finally:
        await asyncio.to_thread(rabbitmq.set_memory_alarm, False)
    if (made.status_code, ended.status_code) != (201, 200):
        raise NoEvidence(f"answered {made.status_code} and {ended.status_code}")
    return f"{made.json()['queue']} came and went while the broker took nothing"


async def stop_postgres(world: World, stage: Stage, harm: Harm) -> str:
    """PostgreSQL stops at once, as in a crash, and recovers."""
    postgres = world.servers.postgres
    pid, before = postgres.pid, len(world.ledger.attempts)
    await asyncio.to_thread(postgres.stop, "immediate")
    gone = not postgres.running
    try:
        await world.until(
            lambda: any(a.reply.answer is Answer.UNKNOWN for a in world.ledger.attempts[before:]),
            "every event was answered while there was no database",
        )
    finally:
        await asyncio.to_thread(postgres.start)
    if not gone or postgres.pid == pid:
        raise NoEvidence("the database was not stopped")
    return f"postmaster {pid} stopped at once, {postgres.pid} recovered"


async def _accept(world: World, events: int) -> None:
    accepted = world.ledger.accepted
    await world.until(
        lambda: world.ledger.accepted >= accepted + events,
        "no event was accepted while the broker was silent",
    )


async def _active(world: World, name: str) -> bool:
    state = await world.value("SELECT state FROM subscriptions WHERE name = $1", name)
    return bool(state == "active")


async def _exists(world: World, queue: str) -> bool:
    return await world.admin.ready(queue) is not None


def _said(world: World, what: str, before: int) -> bool:
    return world.broker_said[what] > before
