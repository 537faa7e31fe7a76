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
from tests.faults.actors import GEMPA, LKPP, NISN, Actors
from tests.faults.children import carry_out
from tests.faults.cluster import Cluster
from tests.faults.events import SCHEMAS, new_event
from tests.faults.fault import Choices, NoEvidence
from tests.faults.publishers import attempt_of
from tests.faults.run_log import Answer, Kind

TRIES = 3
WINDOW = 3.0  # seconds in which a deleted queue must show
UNREACHED = 1_000_000  # messages
HELD = 10  # messages that a queue must hold to be worth deleting
EVENTS = "bus.events"


async def delete_queue(cluster: Cluster, actors: Actors, choices: Choices) -> str:
    """The queue of a type's only subscriber is deleted, with messages in it, while events come.

    It has to show as messages that came back: what no queue has taken is not delivered.
    """
    subscriber = actors.subscribers["gempa"]
    queue, held, before = subscriber.subscription.queue, 0, await _returned(cluster)
    try:
        for tries in range(1, TRIES + 1):
            subscriber.resume()  # a queue that is full to its depth does not become active
            await cluster.until(partial(_active, cluster, "gempa"), "it did not become active")
            subscriber.pause()
            await cluster.until(partial(_holds, cluster, queue), "no event reached the queue")
            held += await cluster.admin.delete_queue(queue)
            if await _seen_to_return(cluster, before):
                back = await _returned(cluster) - before
                return f"deleted {tries} times, {held} messages in it, {back} came back"
    finally:
        subscriber.resume()
    raise NoEvidence("events came while their only queue was gone, and none came back")


async def delete_queue_twice(cluster: Cluster, actors: Actors, choices: Choices) -> str:
    """An ordered queue is deleted with messages in it, and again while it is filled anew."""
    subscriber = actors.subscribers["urut"]
    queue, lost, again = subscriber.subscription.queue, 0, 0
    await cluster.until(partial(_active, cluster, "urut"), "it did not become active")
    subscriber.pause()
    try:
        await cluster.until(partial(_holds, cluster, queue, HELD), "no event reached the queue")
        lost += await cluster.admin.delete_queue(queue)
        for _ in range(TRIES):
            await cluster.until(partial(_holds, cluster, queue), "the queue was not filled anew")
            again += not await _active(cluster, "urut")
            lost += await cluster.admin.delete_queue(queue)
            await asyncio.sleep(choices.random.uniform(0, 0.5))
    finally:
        subscriber.resume()
    if not again:
        raise NoEvidence("the queue was never deleted while it was filled anew")
    return f"deleted with {lost} messages, {again} times while it was filled anew"


async def delete_binding(cluster: Cluster, actors: Actors, choices: Choices) -> str:
    """A binding is deleted while other queues still take the events: nothing comes back."""
    subscription = actors.subscribers[choices.random.choice(["urut", "paralel"])].subscription
    await cluster.until(partial(_active, cluster, subscription.name), "it did not become active")
    before = await _repairs(cluster, subscription.name)
    await cluster.admin.delete_binding(EVENTS, subscription.queue, NISN)
    await cluster.until(partial(_repaired, cluster, subscription.name, before), "nobody noticed")
    return f"the binding of {subscription.name} to {NISN} was deleted, and noticed"


async def delete_exchange(cluster: Cluster, actors: Actors, choices: Choices) -> str:
    """The exchange of all events is deleted, with every binding to it."""
    before = await _repairs(cluster, "urut")
    await cluster.admin.delete_exchange(EVENTS)
    await cluster.until(partial(_repaired, cluster, "urut", before), "nobody noticed")
    return f"{EVENTS} was deleted, made again, and its subscriptions repaired"


async def fill_queue(cluster: Cluster, actors: Actors, choices: Choices) -> str:
    """The queue of an ordered subscription is full and refuses; it is emptied bit by bit."""
    subscriber = actors.subscribers["bansos"]
    nacks = cluster.routes.broker_said["nack"]
    subscriber.pause()
    await cluster.admin.limit(subscriber.subscription.queue, 2)
    try:
        for more in (5, 20, 35):
            await cluster.until(partial(_nacked, cluster, nacks + more), "nothing was refused")
            subscriber.resume()  # makes room for some while others wait to be sent again
            await asyncio.sleep(0.4)
            subscriber.pause()
    finally:
        subscriber.resume()
        # A limit that is taken away altogether leaves 3.10 refusing what comes by a channel that
        # it once refused (rabbit_fifo, is_below_soft_limit); one that is far away does not.
        await cluster.admin.limit(subscriber.subscription.queue, UNREACHED)
    refused = cluster.routes.broker_said["nack"] - nacks
    return f"{refused} publishes were refused by {subscriber.subscription.queue}"


async def add_contract(cluster: Cluster, actors: Actors, choices: Choices) -> str:
    """A contract is registered and its first event sent at once, to a pattern that covers it.

    The relays miss the registration: they wait until the event is accepted.
    """
    type = f"id.go.lkpp.uji.fakta-{choices.random.randrange(1 << 30)}.v1"
    event = replace(new_event(LKPP[0], "/lkpp/uji", type, uuid4(), None), type=type)
    with TemporaryDirectory() as folder:
        _write_contract(Path(folder), type)
        registering = asyncio.create_task(
            carry_out("contracts", folder, folder=Path(folder), own=cluster.environment)
        )
        try:
            await cluster.until(partial(_registered, cluster, type), "it was not registered")
            for relay in cluster.relays:
                relay.signal(signal.SIGSTOP)
            tries = await publish(cluster, event)
        finally:
            for relay in cluster.relays:
                relay.signal(signal.SIGCONT)
            await registering
    return f"{type} was accepted at attempt {tries}"


async def _registered(cluster: Cluster, type: str) -> bool:
    return bool(await cluster.query("SELECT 1 FROM contracts WHERE type = $1", type))


async def _seen_to_return(cluster: Cluster, before: int) -> bool:
    """Publish until a message has come back; False where none did in time."""
    end = time.monotonic() + WINDOW
    while time.monotonic() < end:
        await publish(cluster, new_event(GEMPA, "/bmkg/uji", str(uuid4()), uuid4(), None))
        if await _returned(cluster) > before:
            return True
    return False


async def publish(cluster: Cluster, event: Event) -> int:
    """Publish until it is accepted; returns at which attempt. Its contract may not be known yet."""
    client, tries = cluster.client(event.type.split(".")[2]), 0
    while True:
        tries += 1
        sent = time.monotonic()
        reply = await client.send_structured(event)
        if reply.status != httpx.codes.FORBIDDEN:
            cluster.run_log.attempt(attempt_of(event, 1, Kind.NEW, reply, sent))
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


async def _returned(cluster: Cluster) -> int:
    return int(await cluster.value("SELECT sum(returned)::bigint FROM journal_leases"))


async def _repairs(cluster: Cluster, name: str) -> int:
    return int(await cluster.value("SELECT repairs FROM subscriptions WHERE name = $1", name))


async def _repaired(cluster: Cluster, name: str, before: int) -> bool:
    return await _repairs(cluster, name) > before


async def _active(cluster: Cluster, name: str) -> bool:
    state = await cluster.value("SELECT state FROM subscriptions WHERE name = $1", name)
    return bool(state == "active")


async def _holds(cluster: Cluster, queue: str, messages: int = 1) -> bool:
    return (await cluster.admin.ready(queue) or 0) >= messages


def _nacked(cluster: Cluster, count: int) -> bool:
    return cluster.routes.broker_said["nack"] >= count
