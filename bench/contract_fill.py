"""Fills the registry of a database with contracts, as `python -m gateway contracts FOLDER` would.

Reads JSON on standard input, {"url", "first", "last"}, and writes how long it took, {"admitting",
"storing"} in seconds. Every contract is checked by both validators with all its examples, as at the
HTTP API, but by one process that need not be killable, and stored many in one transaction.
"""

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

from bench.events import ORGANISATION, SCHEMAS, TYPE
from gateway import contracts
from gateway.base.database import Database, Topic
from gateway.contracts import Submission, Version

TOGETHER = 200  # contracts in one transaction


def many(numbers: range) -> Iterator[Submission]:
    """Contracts of one organisation, each with the schema of the e-KTP verification."""
    model = next(e for e in contracts.submissions(SCHEMAS) if e.contract.type == TYPE)
    for number in numbers:
        type = type_of(number)
        schema = {**json.loads(model.versions[0].text), "title": f"Verification {number}"}
        text = json.dumps(schema).encode()
        contract = replace(model.contract, type=type, title=f"Verification {number}")
        yield replace(model, contract=contract, versions=(Version(1, text),))


def type_of(number: int) -> str:
    """The event type of one of them."""
    return f"id.go.{ORGANISATION}.bench{number:05}.diverifikasi.v1"


async def fill(url: str, numbers: range) -> dict[str, float]:
    """Register them; the seconds that checking and storing took."""
    database = await Database.open(url, connections=1, timeout=10)
    admitting, storing, waiting = 0.0, 0.0, many(numbers)
    try:
        while some := list(islice(waiting, TOGETHER)):
            began = time.perf_counter()
            inline = [contracts.admit(each) for each in some]
            checked = time.perf_counter()
            async with database.change(Topic.CONTRACTS) as session:
                for each, bytes_inline in zip(some, inline, strict=True):
                    await contracts.register(session, each, inline=bytes_inline)
            admitting += checked - began
            storing += time.perf_counter() - checked
    finally:
        await database.close()
    return {"admitting": admitting, "storing": storing}


if __name__ == "__main__":
    question = json.load(sys.stdin)
    numbers = range(question["first"], question["last"])
    print(json.dumps(asyncio.run(fill(question["url"], numbers))))
