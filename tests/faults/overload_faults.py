"""More requests at once than a process takes on, and a neighbour that sends little."""

import asyncio
import time
from uuid import uuid4

import httpx

from gateway.base.event import Event
from tests.faults.actors import GEMPA, LKPP, Actors
from tests.faults.cluster import Cluster
from tests.faults.events import new_event
from tests.faults.fault import Choices, NoEvidence
from tests.faults.gateway_client import GatewayClient
from tests.faults.publishers import AGAIN, attempt_of
from tests.faults.run_log import Answer, Kind

FLOOD = 80  # requests at once: more than all processes together take of one organisation
QUIET = 5  # requests of the neighbour
ENOUGH = 20  # refusals
SECONDS = 30.0


async def overload(cluster: Cluster, actors: Actors, choices: Choices) -> str:
    """No commit ends while one organisation floods the gateway and another one publishes a little.

    The first is refused beyond its share; the second is not, and liveness answers.
    """
    noisy, quiet = cluster.client("lkpp"), cluster.client("bmkg")
    shed: list[int] = []
    neighbour: list[int] = []
    tasks: list[asyncio.Task[None]] = []
    try:
        async with cluster.without_commits():
            for number in range(FLOOD):
                event = _event(LKPP[0], "/lkpp/banjir", number)
                tasks.append(asyncio.create_task(_publish(cluster, noisy, event, shed)))
            await cluster.until(lambda: len(shed) >= ENOUGH, "nothing was refused", SECONDS)
            for number in range(QUIET):
                event = _event(GEMPA, "/bmkg/tenang", number)
                tasks.append(asyncio.create_task(_publish(cluster, quiet, event, neighbour)))
            live = await quiet.call("GET", "/health/live")
    finally:
        await asyncio.gather(*tasks)
    if neighbour:
        raise NoEvidence(f"the neighbour was refused {len(neighbour)} times")
    if live.status_code != httpx.codes.OK:
        raise NoEvidence(f"liveness answered {live.status_code}")
    return f"{len(shed)} requests refused, none of the neighbour, all accepted in the end"


def _event(type: str, source: str, number: int) -> Event:
    return new_event(type, source, f"{source}-{uuid4()}-{number}", uuid4(), None)


async def _publish(cluster: Cluster, client: GatewayClient, event: Event, shed: list[int]) -> None:
    """Publish until it is accepted; notes what was refused for the load."""
    while True:
        sent = time.monotonic()
        reply = await client.send_structured(event)
        cluster.run_log.attempt(attempt_of(event, 1, Kind.NEW, reply, sent))
        if reply.answer is not Answer.UNKNOWN:
            return
        if reply.status == httpx.codes.TOO_MANY_REQUESTS:
            shed.append(reply.status)
        await asyncio.sleep(AGAIN)
