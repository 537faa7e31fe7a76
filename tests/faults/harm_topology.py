"""Faults that somebody brings about by hand: deleted queues and bindings, limits, new contracts."""

import asyncio
import json
import shutil
import signal
import time
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import httpx
from msgspec.structs import replace

from gateway.base.event import Event
from tests.faults.children import carry_out
from tests.faults.events import SCHEMAS, new_event
from tests.faults.harm import Harm, NoEvidence
from tests.faults.ledger import Answer, Kind
from tests.faults.publishers import attempt_of
from tests.faults.stage import GEMPA, LKPP, NISN, Stage
from tests.faults.world import World

TRIES = 3
WINDOW = 3.0  # seconds in which a deleted queue must show
UNREACHED = 1_000_000  # messages
HELD = 10  # messages that a queue must hold to be worth deleting
EVENTS = "bus.events"


async def delete_queue(world: World, stage: Stage, harm: Harm) -> str:
    """The queue of a type's only subscriber is deleted, with messages in it, while events come.

    It has to show as messages that came back: what no queue has taken is not delivered.
    """
    subscriber = stage.subscribers["gempa"]
    queue, held, before = subscriber.interest.queue, 0, await _returned(world)
    try:
        for tries in range(1, TRIES + 1):
            subscriber.resume()  # a queue that is full to its depth does not become active
            await world.until(partial(_active, world, "gempa"), "it did not become active")
            subscriber.pause()
            await world.until(partial(_holds, world, queue), "no event reached the queue")
            held += await world.admin.delete_queue(queue)
            if await _seen_to_return(world, before):
                back = await _returned(world) - before
                return f"deleted {tries} times, {held} messages in it, {back} came back"
    finally:
        subscriber.resume()
    raise NoEvidence("events came while their only queue was gone, and none came back")


async def delete_queue_twice(world: World, stage: Stage, harm: Harm) -> str:
    """An ordered queue is deleted with messages in it, and again while it is filled anew."""
    subscriber = stage.subscribers["urut"]
    queue, lost, again = subscriber.interest.queue, 0, 0
    await world.until(partial(_active, world, "urut"), "it did not become active")
    subscriber.pause()
    try:
        await world.until(partial(_holds, world, queue, HELD), "no event reached the queue")
        lost += await world.admin.delete_queue(queue)
        for _ in range(TRIES):
            await world.until(partial(_holds, world, queue), "the queue was not filled anew")
            again += not await _active(world, "urut")
            lost += await world.admin.delete_queue(queue)
            await asyncio.sleep(harm.random.uniform(0, 0.5))
    finally:
        subscriber.resume()
    if not again:
        raise NoEvidence("the queue was never deleted while it was filled anew")
    return f"deleted with {lost} messages, {again} times while it was filled anew"


async def delete_binding(world: World, stage: Stage, harm: Harm) -> str:
    """A binding is deleted while other queues still take the events: nothing comes back."""
    interest = stage.subscribers[harm.random.choice(["urut", "paralel"])].interest
    await world.until(partial(_active, world, interest.name), "it did not become active")
    before = await _repairs(world, interest.name)
    await world.admin.delete_binding(EVENTS, interest.queue, NISN)
    await world.until(partial(_repaired, world, interest.name, before), "nobody noticed")
    return f"the binding of {interest.name} to {NISN} was deleted, and noticed"


async def delete_exchange(world: World, stage: Stage, harm: Harm) -> str:
    """The exchange of all events is deleted, with every binding to it."""
    before = await _repairs(world, "urut")
    await world.admin.delete_exchange(EVENTS)
    await world.until(partial(_repaired, world, "urut", before), "nobody noticed")
    return f"{EVENTS} was deleted, made again, and its subscriptions repaired"


async def fill_queue(world: World, stage: Stage, harm: Harm) -> str:
    """The queue of an ordered subscription is full and refuses; it is emptied bit by bit."""
    subscriber = stage.subscribers["bansos"]
    nacks = world.broker_said["nack"]
    subscriber.pause()
    await world.admin.limit(subscriber.interest.queue, 2)
    try:
        for more in (5, 20, 35):
            await world.until(partial(_nacked, world, nacks + more), "nothing was refused")
            subscriber.resume()  # makes room for some while others wait to be sent again
            await asyncio.sleep(0.4)
            subscriber.pause()
    finally:
        subscriber.resume()
        # A limit that is taken away altogether leaves 3.10 refusing what comes by a channel that
        # it once refused (rabbit_fifo, is_below_soft_limit); one that is far away does not.
        await world.admin.limit(subscriber.interest.queue, UNREACHED)
    refused = world.broker_said["nack"] - nacks
    return f"{refused} publishes were refused by {subscriber.interest.queue}"


async def add_contract(world: World, stage: Stage, harm: Harm) -> str:
    """A contract is registered and its first event sent at once, to a pattern that covers it.

    The relays miss the registration: they stand still until the event is accepted.
    """
    type = f"id.go.lkpp.uji.fakta-{harm.random.randrange(1 << 30)}.v1"
    event = replace(new_event(LKPP[0], "/lkpp/uji", type, uuid4(), None), type=type)
    with TemporaryDirectory() as folder:
        _write_contract(Path(folder), type)
        registering = asyncio.create_task(
            carry_out("contracts", folder, folder=Path(folder), own=world.environment)
        )
        try:
            await world.until(partial(_registered, world, type), "it was not registered")
            for relay in world.relays:
                relay.signal(signal.SIGSTOP)
            tries = await _publish(world, event)
        finally:
            for relay in world.relays:
                relay.signal(signal.SIGCONT)
            await registering
    return f"{type} was accepted at attempt {tries}"


async def _registered(world: World, type: str) -> bool:
    return bool(await world.query("SELECT 1 FROM contracts WHERE type = $1", type))


async def _seen_to_return(world: World, before: int) -> bool:
    """Publish until a message has come back; False where none did in time."""
    end = time.monotonic() + WINDOW
    while time.monotonic() < end:
        await _publish(world, new_event(GEMPA, "/bmkg/uji", str(uuid4()), uuid4(), None))
        if await _returned(world) > before:
            return True
    return False


async def _publish(world: World, event: Event) -> int:
    """Publish until it is accepted; returns at which attempt. Its contract may not be known yet."""
    door, tries = world.door(event.type.split(".")[2]), 0
    while True:
        tries += 1
        sent = time.monotonic()
        reply = await door.send_structured(event)
        if reply.status != httpx.codes.FORBIDDEN:
            world.ledger.attempt(attempt_of(event, 1, Kind.NEW, reply, sent))
        if reply.answer is Answer.OK:
            return tries


def _write_contract(folder: Path, type: str) -> None:
    """A contract like another one, under a name of its own."""
    like = SCHEMAS / "lkpp" / LKPP[0]
    shutil.copytree(like, folder / "lkpp" / type)
    shutil.copy(SCHEMAS / "lkpp" / "organisation.json", folder / "lkpp")
    file = folder / "lkpp" / type / "contract.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "type": type}))
    for schema in (folder / "lkpp" / type / "versions").glob("*.json"):
        schema.write_text(schema.read_text().replace(LKPP[0], type))


async def _returned(world: World) -> int:
    return int(await world.value("SELECT sum(returned)::bigint FROM journal_leases"))


async def _repairs(world: World, name: str) -> int:
    return int(await world.value("SELECT repairs FROM subscriptions WHERE name = $1", name))


async def _repaired(world: World, name: str, before: int) -> bool:
    return await _repairs(world, name) > before


async def _active(world: World, name: str) -> bool:
    state = await world.value("SELECT state FROM subscriptions WHERE name = $1", name)
    return bool(state == "active")


async def _holds(world: World, queue: str, messages: int = 1) -> bool:
    return (await world.admin.ready(queue) or 0) >= messages


def _nacked(world: World, count: int) -> bool:
    return world.broker_said["nack"] >= count
