"""What an event costs depends on no statistics: rows read on its way, in databases of all ages."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from gateway.journal import sql as statements
from tests.builders import FREE, QUESTIONS, a_document, a_name
from tests.bus import Actor, Bus, MakeBus
from tests.integration.journal_setup import Journal
from tests.waiting import eventually

BATCHES, BATCH = 10, 100
EVENTS = BATCHES * BATCH
ROWS = 20  # of a table that an event may read, on average
IDLE, SECONDS = "menunggu", 3  # a subscription without events, and how long its receiver waits
OLD = 50_000  # rows of each table that grows, of a bus that has run for a while
CONNECTIONS = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
    "AND pid <> pg_backend_pid()"
)
GROWING = "journal_(identities|entries.*)|delivery_(open|attempts|settlements)"
# Rows that statements have read of each table: all of it, or through an index.
READ = (
    "SELECT relname, sum(rows)::bigint FROM ("
    "SELECT relname, seq_tup_read AS rows FROM pg_stat_user_tables UNION ALL "
    "SELECT relname, idx_tup_read FROM pg_stat_user_indexes) r "
    f"WHERE relname ~ '^({GROWING})$' GROUP BY relname"
)
ENTRIES = (
    "INSERT INTO journal_rows SELECT n % 4, -n, now() - interval '1 second', '/lama', n::text, "
    "'id.go.uji.lama.v1', 'x', '{}', '{}', false, sha256('x'), 'c', 'uji', 1 "
    f"FROM generate_series(1, {OLD}) n"
)
FILL = (
    "INSERT INTO journal_identities SELECT sha256(n::text::bytea)::bytea, sha256('x'), n % 4, -n, "
    f"now() FROM generate_series(1, {OLD}) n",
    ENTRIES,
    "INSERT INTO delivery_open SELECT organisation, name, 0, -n, now(), 'id.go.uji.lama.v1', "
    "n::text, 0, now() + interval '1 day' FROM subscriptions, "
    f"generate_series(1, {OLD}) n WHERE name = $1",
    "INSERT INTO delivery_attempts SELECT 'uji', $1, 0, -n, 1, now(), 'rejected', '' "
    f"FROM generate_series(1, {OLD}) n",
    "INSERT INTO delivery_settlements SELECT 'uji', $1, 0, -n, -n, ARRAY[-n], 'acknowledged' "
    f"FROM generate_series(1, {OLD}) n",
    "INSERT INTO dead_letters (organisation, name, shard, sequence, recorded, type, publisher, "
    "failure, detail, attempts, report) SELECT 'uji', $1, 0, -n, now(), 'id.go.uji.lama.v1', 'uji',"
    f" 'rejected', '', 1, 'none' FROM generate_series(1, {OLD}) n",
)


def test_no_statement_on_the_way_of_an_event_depends_on_statistics(make_bus: MakeBus) -> None:
    with make_bus() as bus:
        bus.run("api", "relay", "deliver")
        uji = bus.actor("uji")
        pulled, queued, other = a_name(), uji.subscribe(FREE), a_name()
        for name in (pulled, other):
            uji.put_subscription(name, FREE, delivery="pull").raise_for_status()
        uji.put_subscription(IDLE, QUESTIONS[0], delivery="pull").raise_for_status()
        before = _read(bus)
        # Never analysed; analysed while new; the plans of before for what has grown; analysed.
        for prepare in (None, _analyse, partial(_fill, other=other), _analyse):
            if prepare is not None:
                prepare(bus)
            _go_all_the_way(uji, pulled)
            queued.take(EVENTS)
        for process in bus.processes:
            process.kill()
        # A connection's counts arrive at its end.
        eventually(lambda: bus.query(CONNECTIONS)[0]["count"] == 0)
        read = {name: rows / (4 * EVENTS) for name, rows in (_read(bus) - before).items()}
        assert {name: rows for name, rows in read.items() if rows > ROWS} == {}


@pytest.mark.parametrize(("statement", "rest"), [("READ", ()), ("READ_TYPES", (10**6, "^id"))])
async def test_the_next_entries_are_read_in_the_order_of_their_index(
    journal: Journal, statement: str, rest: tuple[object, ...]
) -> None:
    """However many are left of a shard, and before anything was analysed."""
    async with journal.owner() as owner:
        await owner.execute(ENTRIES.replace("-n", "n"))
    arguments = (0, 1, datetime.now(UTC) - timedelta(hours=1), *rest, 5)
    async with journal.connection() as connection:
        explain = f"EXPLAIN (ANALYZE, FORMAT JSON) {getattr(statements, statement)}"
        plan = json.loads(await connection.fetchval(explain, *arguments))[0]["Plan"]
    assert plan["Actual Rows"] == 5
    assert "Sort" not in set(_kinds(plan))


def _kinds(plan: dict[str, Any]) -> Iterator[str]:
    yield plan["Node Type"]
    for each in plan.get("Plans", []):
        yield from _kinds(each)


def _analyse(bus: Bus) -> None:
    bus.query("ANALYZE")


def _fill(bus: Bus, other: str) -> None:
    for statement in FILL:
        bus.query(statement, *([other] if "$1" in statement else []))


def _go_all_the_way(uji: Actor, pulled: str) -> None:
    """While another receiver waits: what is due is looked for all the time."""
    with ThreadPoolExecutor(1) as pool:
        waiting = {"max": 1, "wait": SECONDS}
        idle = pool.submit(uji.post, f"/v1/subscriptions/{IDLE}/receive", json=waiting)
        for _ in range(BATCHES):
            events = [a_document(source="/uji", subject=str(n % 50)) for n in range(BATCH)]
            uji.publish_batch([*events, {}, events[0]]).raise_for_status()
        _settle_all(uji, f"/v1/subscriptions/{pulled}")
        assert idle.result().json()["events"] == []


def _read(bus: Bus) -> Counter[str]:
    found = Counter[str]()
    for name, rows in bus.query(READ):
        found[re.sub(r"(journal_entries)_.*", r"\1", name)] += rows
    return found


def _settle_all(by: Actor, path: str) -> None:
    """Receive every event; reject some of them, acknowledge the others."""
    settled = 0
    while settled < EVENTS:
        events = eventually(lambda: by.post(f"{path}/receive", json={"max": 200}).json()["events"])
        tokens = [each["token"] for each in events]
        rejection = {"tokens": tokens[:5], "reason": "ditolak"}
        by.post(f"{path}/reject", json=rejection).raise_for_status()
        by.post(f"{path}/acknowledge", json={"tokens": tokens[5:]}).raise_for_status()
        settled += len(tokens)
