"""The end of a run: dead letters are redriven, and the delivery ledger is read."""

import asyncio
import time
from collections.abc import Sequence
from random import Random
from typing import Any

import httpx

from tests.faults.actors import Actors
from tests.faults.checker_delivery import taken
from tests.faults.cluster import Cluster
from tests.faults.observed import Observed, ReportedStage, wants
from tests.faults.run_log import Identity, KnownSubscription, Redriven

ONE_BY_ONE = 4  # dead letters of a subscription
RATE = 20  # a second
ASKED = 250  # entries whose delivery ledger is read, and all that are special
AT_ONCE = 6


async def redrive(cluster: Cluster, actors: Actors) -> None:
    """Redrive dead letters: of one subscription a few by number, of the next all by a job.

    What remains of the first is left dead. Who refused them takes everything from now on.
    """
    actors.accept_all()
    await cluster.query("UPDATE consumer_options SET rejects = 0")
    dead = [(each, await _dead(cluster, each)) for each in cluster.run_log.subscriptions]
    sending = [
        _in_bulk(cluster, subscription, dead_letters)
        if number % 2
        else _by_number(cluster, subscription, dead_letters[:ONE_BY_ONE])
        for number, (subscription, dead_letters) in enumerate(pair for pair in dead if pair[1])
    ]
    await asyncio.gather(*sending)


async def read_ledger(cluster: Cluster, seen: Observed, seed: int) -> None:
    """Ask the gateway what became of a share of the entries, as the one who published each."""
    special = _special(seen)
    chosen = [row for row in seen.rows if row.identity in special]
    others = [row for row in seen.rows if row.identity not in special]
    chosen += Random(seed).sample(others, min(ASKED, len(others)))
    seen.asked = [row.position for row in chosen]
    turns = asyncio.Semaphore(AT_ONCE)

    async def ask(position: tuple[int, int], organisation: str) -> list[ReportedStage]:
        async with turns:
            path = f"/v1/events/{position[0]}/{position[1]}/deliveries"
            answer = await cluster.client(organisation).call("GET", path)
            items = answer.raise_for_status().json()["items"]
            return [
                ReportedStage(
                    *position, f"sub.{each['organisation']}.{each['subscription']}", each["stage"]
                )
                for each in items
            ]

    reported = await asyncio.gather(*(ask(row.position, row.publisher) for row in chosen))
    seen.reported = [each for some in reported for each in some]


def _special(seen: Observed) -> set[Identity]:
    """What was a dead letter, or what somebody who wants it has not taken."""
    got = taken(seen)
    missing = {
        row.identity
        for subscription in seen.run_log.subscriptions
        for row in seen.rows
        if wants(subscription, row) and row.identity not in got[subscription.name]
    }
    return missing | {dead_letter.identity for dead_letter in seen.dead}


async def _dead(cluster: Cluster, subscription: KnownSubscription) -> list[dict[str, Any]]:
    """The dead letters of a subscription, as its owner sees them."""
    dead_letters: list[dict[str, Any]] = []
    path, more = f"/v1/dead-letters?state=dead&subscription={subscription.name}", ""
    while True:
        answer = await cluster.client(_organisation(subscription)).call("GET", path + more)
        page = answer.raise_for_status().json()
        dead_letters += page["items"]
        if page["next"] is None:
            return dead_letters
        more = f"&cursor={page['next']}"


async def _by_number(
    cluster: Cluster, subscription: KnownSubscription, dead_letters: Sequence[dict[str, Any]]
) -> None:
    client = cluster.client(_organisation(subscription))
    for dead_letter in dead_letters:
        path, began = f"/v1/dead-letters/{dead_letter['number']}/redrive", time.monotonic()
        answers = [(await client.call("POST", path)).raise_for_status().json() for _ in range(2)]
        if not answers[0]["changed"]:
            cluster.run_log.incidents.append(f"{subscription.name}: {path} changed nothing")
        await _note(cluster, subscription, dead_letter, began, again=bool(answers[1]["changed"]))


async def _in_bulk(
    cluster: Cluster, subscription: KnownSubscription, dead_letters: Sequence[dict[str, Any]]
) -> None:
    began = time.monotonic()
    first = await _job(cluster, subscription)
    if (first["total"], first["sent"], first["failed"]) != (
        len(dead_letters),
        len(dead_letters),
        0,
    ):
        cluster.run_log.incidents.append(
            f"{subscription.name}: {len(dead_letters)} were dead, {first} sent"
        )
    again = await _job(cluster, subscription)
    if again["total"]:
        cluster.run_log.incidents.append(
            f"{subscription.name}: all were redriven, and again {again}"
        )
    for dead_letter in dead_letters:
        await _note(cluster, subscription, dead_letter, began)


async def _job(cluster: Cluster, subscription: KnownSubscription) -> dict[str, Any]:
    """A redrive of all that is dead of a subscription, once it has finished."""
    client, body = (
        cluster.client(_organisation(subscription)),
        {"subscription": subscription.name, "rate": RATE},
    )
    answer = await client.call("POST", "/v1/redrives", body)
    assert answer.status_code == httpx.codes.ACCEPTED, answer.text
    shown: dict[str, Any] = answer.json()

    async def finished() -> bool:
        nonlocal shown
        answer = await client.call("GET", f"/v1/redrives/{shown['id']}")
        shown = answer.raise_for_status().json()
        return bool(shown["state"] == "finished")

    await cluster.until(finished, "a redrive did not finish")
    return shown


async def _note(
    cluster: Cluster,
    subscription: KnownSubscription,
    dead_letter: dict[str, Any],
    began: float,
    *,
    again: bool | None = None,
) -> None:
    rows = await cluster.query(
        "SELECT source, id FROM journal_entries WHERE shard = $1 AND sequence = $2",
        dead_letter["shard"],
        dead_letter["sequence"],
    )
    for source, id_ in rows:  # none where the entry was lost, which the checker reports
        cluster.run_log.redriven.append(Redriven(subscription.queue, source, id_, began, again))


def _organisation(subscription: KnownSubscription) -> str:
    return subscription.queue.split(".")[1]
