"""What retention does with the events of `make run`, on a copy of its database from long ago.

Only whole months go, and only long after: so the database is copied, everything in the copy is made
older than its contract says, and `python -m gateway retention` runs on the copy.
"""

import asyncio
import subprocess
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import httpx
from rich import box
from rich.console import Console
from rich.table import Table

from deploy.local.credentials import Credentials
from deploy.local.demo_accounts import open_accounts
from deploy.local.demo_env import DemoEnv
from deploy.local.demo_legacy import PENDUDUK, SETORAN
from deploy.local.postgres import copy_database, programs
from deploy.local.processes import ServerError

AGE = "15 months"  # then a month is over that its contract keeps for 400 days
READER = ("pajak", "rekap-setoran")  # of SETORAN; it reads nothing
PATIENCE = 30.0  # seconds until the relay has come along

OLDER = """
SET session_replication_role = replica;
UPDATE journal_rows SET recorded = recorded - interval '15 months';
UPDATE contracts SET retention_changed = retention_changed - interval '15 months';
"""
MONTHS = """
SELECT DISTINCT date_trunc('month', recorded - interval '15 months')::date
FROM journal_entries
"""
WENT = "SELECT type, sum(count)::bigint FROM retention_removals WHERE type <> '' GROUP BY type"
HELD = """
SELECT type, max(entries), array_agg(reason || ' by ' || organisation || '/' || subscription)
FROM retention_holds GROUP BY type
"""

Retain = Callable[[str], Awaitable[None]]
"""Runs retention once on the database of this name."""


@dataclass(frozen=True)
class Outcome:
    """How many events went, by type; how many are held, and who still has to get them."""

    went: dict[str, int]
    held: dict[str, tuple[int, list[str]]]

    @property
    def right(self) -> bool:
        """What both contracts keep no longer went, or is held for somebody."""
        return {PENDUDUK, SETORAN} <= self.went.keys() | self.held.keys()


async def run(
    url: str, operator: Credentials, folder: Path, database: tuple[str, Retain], console: Console
) -> bool:
    """Subscribe, copy, run retention, print what came of it; whether it is as promised.

    `database` is the superuser's URL and what runs retention there. Safe to repeat.
    """
    async with open_accounts(url, operator, DemoEnv(folder / "demo.env")) as accounts:
        body = {"types": [SETORAN], "delivery": "pull", "start": "beginning"}
        organisation, name = READER
        bus = accounts.buses[organisation]
        await bus.call("PUT", f"/v1/subscriptions/{name}", json=body)
    await _wait_relayed(url)
    outcome = await perform(*database)
    console.print(table(outcome))
    console.print(
        f"This was a copy of the database, made {AGE} older, as nothing here is over yet. What is "
        "held goes once its subscriber has read it, or ends the subscription."
    )
    return outcome.right


async def perform(superuser_url: str, retain: Retain) -> Outcome:
    """Make the copy, let retention work on it, and delete it."""
    name = f"{urlsplit(superuser_url).path[1:]}_later"
    copy = urlunsplit(urlsplit(superuser_url)._replace(path=f"/{name}"))
    drop = f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"
    try:
        await _execute(superuser_url, drop, *copy_database(name, "template1"))
        await asyncio.to_thread(_copy, superuser_url, copy)
        months = [month for (month,) in await _query(copy, MONTHS)]
        made = [f"SELECT journal_create_partition('{month}')" for month in months]
        await _execute(copy, "SET ROLE nusabus_owner", *made, "RESET ROLE", OLDER)
        await retain(name)
        went, held = await _query(copy, WENT), await _query(copy, HELD)
    finally:
        await _execute(superuser_url, drop)
    return Outcome(dict(went), {type: (count, who) for type, count, who in held})


def table(outcome: Outcome) -> Table:
    """What became of the events that are over."""
    found = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("retention, 400 days", "events", "outcome"):
        found.add_column(name, justify="right" if name == "events" else "left")
    for type, count in sorted(outcome.went.items()):
        found.add_row(_short(type), str(count), "removed")
    for type, (count, who) in sorted(outcome.held.items()):
        found.add_row(_short(type), str(count), f"held: {', '.join(sorted(who))}")
    return found


def _short(type: str) -> str:
    return type.removeprefix("id.go.").removesuffix(".v1")


async def _wait_relayed(url: str) -> None:
    """What is not relayed would be held for that."""
    deadline = asyncio.get_running_loop().time() + PATIENCE
    async with httpx.AsyncClient(base_url=url, timeout=5) as client:
        while (await client.get("/health/ready")).json()["backlog"]:
            if asyncio.get_running_loop().time() > deadline:
                return
            await asyncio.sleep(0.1)


def _copy(source: str, target: str) -> None:
    dump, restore = programs() / "pg_dump", programs() / "pg_restore"
    with subprocess.Popen(
        [dump, "--format=custom", f"--dbname={source}"], cwd="/", stdout=subprocess.PIPE
    ) as dumping:
        restored = subprocess.run(
            [restore, "--single-transaction", f"--dbname={target}"],
            cwd="/", stdin=dumping.stdout, capture_output=True, text=True, check=False,
        )  # fmt: skip
    if dumping.returncode or restored.returncode:
        raise ServerError(f"The database could not be copied: {restored.stderr.strip()}")


async def _execute(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        for each in statements:
            await connection.execute(each)
    finally:
        await connection.close()


async def _query(url: str, statement: str) -> list[Any]:
    connection = await asyncpg.connect(url)
    try:
        return list(await connection.fetch(statement))
    finally:
        await connection.close()
