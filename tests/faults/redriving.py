"""The end of a run, when all is quiet: dead letters are sent again, and the ledger is read."""

import asyncio
import time
from collections.abc import Sequence
from random import Random
from typing import Any

import httpx

from tests.faults.checker_receiving import taken
from tests.faults.ledger import Identity, Interest, Redriven
from tests.faults.observed import Observed, Told, wants
from tests.faults.stage import Stage
from tests.faults.world import World

ONE_BY_ONE = 4  # dead letters of a subscription
RATE = 20  # a second
ASKED = 250  # entries of which the ledger is asked, and all that are special
AT_ONCE = 6


async def redrive(world: World, stage: Stage) -> None:
    """Send dead letters again: of one subscription a few by number, of the next all by a job.

    What remains of the first is left dead. Who refused them takes everything from now on.
    """
    stage.repair()
    await world.query("UPDATE consumer_habit SET rejects = 0")
    dead = [(each, await _dead(world, each)) for each in world.ledger.interests]
    sending = [
        _in_bulk(world, interest, letters)
        if number % 2
        else _by_number(world, interest, letters[:ONE_BY_ONE])
        for number, (interest, letters) in enumerate(pair for pair in dead if pair[1])
    ]
    await asyncio.gather(*sending)


async def read_ledger(world: World, seen: Observed, seed: int) -> None:
    """Ask the gateway what became of a share of the entries, as the one who published each."""
    special = _special(seen)
    chosen = [row for row in seen.rows if row.identity in special]
    others = [row for row in seen.rows if row.identity not in special]
    chosen += Random(seed).sample(others, min(ASKED, len(others)))
    seen.asked = [row.place for row in chosen]
    turns = asyncio.Semaphore(AT_ONCE)

    async def ask(place: tuple[int, int], organisation: str) -> list[Told]:
        async with turns:
            path = f"/v1/events/{place[0]}/{place[1]}/deliveries"
            answer = await world.door(organisation).call("GET", path)
            items = answer.raise_for_status().json()["items"]
            return [
                Told(*place, f"sub.{each['organisation']}.{each['subscription']}", each["stage"])
                for each in items
            ]

    told = await asyncio.gather(*(ask(row.place, row.source.split("/")[1]) for row in chosen))
    seen.told = [each for some in told for each in some]


def _special(seen: Observed) -> set[Identity]:
    """What was a dead letter, or what somebody who wants it has not taken."""
    got = taken(seen)
    missing = {
        row.identity
        for interest in seen.ledger.interests
        for row in seen.rows
        if wants(interest, row) and row.identity not in got[interest.name]
    }
    return missing | {letter.identity for letter in seen.dead}


async def _dead(world: World, interest: Interest) -> list[dict[str, Any]]:
    """The dead letters of a subscription, as its owner sees them."""
    letters: list[dict[str, Any]] = []
    path, more = f"/v1/dead-letters?state=dead&subscription={interest.name}", ""
    while True:
        answer = await world.door(_organisation(interest)).call("GET", path + more)
        page = answer.raise_for_status().json()
        letters += page["items"]
        if page["next"] is None:
            return letters
        more = f"&cursor={page['next']}"


async def _by_number(world: World, interest: Interest, letters: Sequence[dict[str, Any]]) -> None:
    door = world.door(_organisation(interest))
    for letter in letters:
        path, began = f"/v1/dead-letters/{letter['number']}/redrive", time.monotonic()
        answers = [(await door.call("POST", path)).raise_for_status().json() for _ in range(2)]
        if not answers[0]["changed"]:
            world.ledger.surprises.append(f"{interest.name}: {path} changed nothing")
        await _note(world, interest, letter, began, again=bool(answers[1]["changed"]))


async def _in_bulk(world: World, interest: Interest, letters: Sequence[dict[str, Any]]) -> None:
    began = time.monotonic()
    first = await _job(world, interest)
    if (first["total"], first["sent"], first["failed"]) != (len(letters), len(letters), 0):
        world.ledger.surprises.append(f"{interest.name}: {len(letters)} were dead, {first} sent")
    again = await _job(world, interest)
    if again["total"]:
        world.ledger.surprises.append(f"{interest.name}: all were redriven, and again {again}")
    for letter in letters:
        await _note(world, interest, letter, began)


async def _job(world: World, interest: Interest) -> dict[str, Any]:
    """A redrive of all that is dead of a subscription, once it has finished."""
    door, body = world.door(_organisation(interest)), {"subscription": interest.name, "rate": RATE}
    answer = await door.call("POST", "/v1/redrives", body)
    assert answer.status_code == httpx.codes.ACCEPTED, answer.text
    shown: dict[str, Any] = answer.json()

    async def finished() -> bool:
        nonlocal shown
        answer = await door.call("GET", f"/v1/redrives/{shown['id']}")
        shown = answer.raise_for_status().json()
        return bool(shown["state"] == "finished")

    await world.until(finished, "a redrive did not finish")
    return shown


async def _note(
    world: World,
    interest: Interest,
    letter: dict[str, Any],
    began: float,
    *,
    again: bool | None = None,
) -> None:
    (row,) = await world.query(
        "SELECT source, id FROM journal_entries WHERE shard = $1 AND sequence = $2",
        letter["shard"],
        letter["sequence"],
    )
    world.ledger.redriven.append(Redriven(interest.queue, row[0], row[1], began, again))


def _organisation(interest: Interest) -> str:
    return interest.queue.split(".")[1]
