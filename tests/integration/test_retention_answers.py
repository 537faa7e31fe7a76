"""What was removed is told: to who starts, resumes, seeks or asks. There is never a silent hole."""

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.local.postgres import Postgres
from deploy.local.processes import ServerError
from gateway.base.event import identity_of
from tests.builders import FREE, TASKS, a_name
from tests.bus import Actor, Bus, MakeBus
from tests.integration.journal_setup import a_journal
from tests.integration.retention_setup import a_week_ago, fill, months_ago, retention_url
from tests.servers import as_owner

ROOT = Path(__file__).resolve().parents[2]
OLD, COUNT = months_ago(5), 10
GONE = httpx.codes.GONE


@pytest.fixture(scope="module")
def bus(make_bus: MakeBus, postgres: Postgres) -> Iterator[Bus]:
    """A bus with a month of events of one type, which was removed, and one event of today."""
    with make_bus() as bus:
        asyncio.run(_an_old_month(bus.database_url))
        bus.run("api")
        bus.actor("uji").published()
        contract = f"/v1/contracts/{FREE}"
        changed = bus.actor("uji", "admin").call(
            "PATCH",
            f"{contract}?confirm=true",
            json={"retention_days": 30},
            headers={"if-match": "*"},
        )
        assert changed.json()["retention_days"] == 30
        bus.environ["NUSABUS_RETENTION_DATABASE_URL"] = retention_url(bus.database_url, postgres)
        bus.carry_out("retention", "--once")
        assert bus.query("SELECT count(*) FROM journal_floors") == [(0,)], "a change waits a week"
        asyncio.run(_later(bus.database_url))
        bus.carry_out("retention", "--once")
        assert "retention.removed" in (bus.folder / "log/retention.log").read_text()
        yield bus


async def _an_old_month(url: str) -> None:
    async with a_journal(url) as journal:
        await fill(journal, OLD, FREE, times=COUNT)
        async with journal.owner() as owner:
            await owner.execute(
                "INSERT INTO journal_identities SELECT $1, digest, shard, sequence, recorded "
                "FROM journal_entries WHERE sequence = 1",
                identity_of("/uji", "e0-1"),
            )


async def _later(url: str) -> None:
    async with a_journal(url) as journal:
        await a_week_ago(journal)


@pytest.fixture
def uji(bus: Bus) -> Actor:
    return bus.actor("uji")


def gone(answer: httpx.Response) -> dict[str, Any]:
    """The problem of a 410."""
    assert answer.status_code == GONE, answer.text
    problem: dict[str, Any] = answer.json()
    assert problem["type"].endswith("/gone")
    return problem


def a_subscription(by: Actor, **more: Any) -> httpx.Response:
    return by.put_subscription(a_name(), FREE, **more)


@pytest.mark.parametrize("delivery", ["pull", "stream", "amqp"])
def test_a_subscription_that_starts_before_what_is_kept(uji: Actor, delivery: str) -> None:
    long_ago = {"start": f"{OLD:%Y-%m}-01T00:00:00Z", "delivery": delivery}
    problem = gone(a_subscription(uji, **long_ago))
    assert problem["kept_after"] == {"0": COUNT}
    assert datetime.fromisoformat(problem["kept_from"]) > datetime.fromisoformat(long_ago["start"])
    found = a_subscription(uji, start=problem["kept_from"], delivery=delivery)
    assert found.status_code == httpx.codes.CREATED, found.text
    assert a_subscription(uji, start="beginning", delivery="pull").status_code == 201


def test_a_task_that_waited_too_long_for_a_subscriber(bus: Bus, uji: Actor) -> None:
    """Nobody subscribed to the type, so nothing was held for anybody."""
    task = TASKS[0]
    bus.query(f"INSERT INTO journal_floors VALUES ('{task}', 0, {COUNT}, now()) RETURNING 1")
    problem = gone(uji.put_subscription(a_name(), task, delivery="pull"))
    assert problem["kept_after"] == {"0": COUNT}
    found = uji.put_subscription(a_name(), task, delivery="pull", start="beginning")
    assert found.status_code == httpx.codes.CREATED, found.text


def test_a_pull_subscription_that_seeks_there(uji: Actor) -> None:
    made = a_subscription(uji, delivery="pull", start="beginning").json()["name"]
    path = f"/v1/subscriptions/{made}"
    for to in (f"{OLD:%Y-%m}-01T00:00:00Z", "00-0000000000000004", f"00-{COUNT:016}"):
        gone(uji.post(f"{path}/seek", json={"to": to}))
    for to in ("beginning", "now", f"00-{COUNT + 1:016}"):
        assert uji.post(f"{path}/seek", json={"to": to}).status_code == 200


def test_a_stream_that_goes_on_there(bus: Bus, uji: Actor) -> None:
    made = a_subscription(uji, delivery="stream").json()["name"]
    shards = bus.query("SELECT count(*) FROM journal_shards")[0][0]
    id_ = bus.query("SELECT id FROM journal_incarnations ORDER BY number DESC")[0][0]
    last = f"{id_}:" + ".".join(["4", *["0"] * (shards - 1)])
    problem = gone(
        uji.get(f"/v1/subscriptions/{made}/stream", headers={"last-event-id": last}, timeout=10)
    )
    assert problem["kept_after"] == {"0": COUNT}


def test_an_event_that_is_asked_for(bus: Bus, uji: Actor) -> None:
    stranger = bus.actor("lain")
    for by in (uji, stranger):
        assert "0/3" in gone(by.get("/v1/events/0/3"))["detail"]
        gone(by.get("/v1/events/0/3/deliveries"))
        assert by.get(f"/v1/events/0/{COUNT + 999}").status_code == 404
        assert by.get("/v1/events/63/1").status_code == 404
    query = {"source": "/uji", "id": "e0-1"}
    gone(uji.get("/v1/events", params=query))
    assert stranger.get("/v1/events", params=query).status_code == 404, "an id tells nothing"
    assert uji.get("/v1/events", params={**query, "id": "never"}).status_code == 404


def test_a_late_repeat_is_still_known(bus: Bus) -> None:
    """Its bytes are gone, so nobody can tell whether it is the same: it is not stored again."""
    before = bus.query("SELECT sum(last) FROM journal_shards")
    answer = bus.actor("uji").publish(
        {"specversion": "1.0", "id": "e0-1", "source": "/uji", "type": FREE, "data": {}}
    )
    assert answer.status_code == httpx.codes.CONFLICT
    assert bus.query("SELECT sum(last) FROM journal_shards") == before


def test_a_dead_letter_whose_event_a_person_took_away(bus: Bus, uji: Actor) -> None:
    """Retention holds such an event; the owner of the tables could still have removed it."""
    made = a_subscription(uji, delivery="pull").json()["name"]
    (number,) = bus.query(
        "INSERT INTO dead_letters (organisation, name, shard, sequence, recorded, type, publisher, "
        f"failure, detail, attempts) VALUES ('uji', '{made}', 0, 1, now(), '{FREE}', 'uji', "
        "'rejected', '', 1) RETURNING number"
    )[0]
    bus.query(f"UPDATE dead_letters SET publisher = 'uji' WHERE number = {number}")
    gone(uji.post(f"/v1/dead-letters/{number}/redrive"))
    gone(uji.post(f"/v1/dead-letters/{number}/resend", json={}))
    assert uji.get(f"/v1/dead-letters/{number}").json()["event"] is None


def test_a_shorter_retention_needs_a_confirmation(bus: Bus) -> None:
    admin, path = bus.actor("uji", "admin"), f"/v1/contracts/{FREE}"

    def change(days: int | None, query: str = "") -> httpx.Response:
        return admin.call(
            "PATCH", path + query, json={"retention_days": days}, headers={"if-match": "*"}
        )

    refused = change(10)
    assert refused.status_code == httpx.codes.CONFLICT
    assert refused.json()["type"].endswith("/unconfirmed")
    assert "subscriptions" in refused.json()["impact"]
    assert admin.get(path).json()["retention_days"] == 30
    for days in (0, -1, 36_501, 1.5):
        assert change(days, "?confirm=true").status_code == 422  # type: ignore[arg-type]
    assert change(40).json()["retention_days"] == 40, "longer needs none"
    assert change(None).json()["retention_days"] is None
    assert change(40).status_code == httpx.codes.CONFLICT, "shorter than for ever"
    assert change(30, "?confirm=true").json()["retention_days"] == 30
    stranger = bus.actor("lain", "admin")
    answer = stranger.call("PATCH", path, json={"retention_days": None}, headers={"if-match": "*"})
    assert answer.status_code == httpx.codes.FORBIDDEN
    history = admin.get(f"{path}/history").json()["items"]
    assert [e["detail"] for e in history if "retention_days" in e["detail"]][-1] == {
        "retention_days": 30
    }


def test_the_process_needs_a_login_of_its_own(bus: Bus) -> None:
    for url, said in ((None, "is missing"), (as_owner(bus.database_url), "nusabus_retention")):
        environ = {**bus.environ, "NUSABUS_RETENTION_DATABASE_URL": url}
        other = {name: value for name, value in environ.items() if value is not None}
        before, bus.environ = bus.environ, other
        try:
            with pytest.raises(ServerError, match=said) as caught:
                bus.carry_out("retention", "--once")
        finally:
            bus.environ = before
        assert "Traceback" not in str(caught.value)


def test_who_sees_the_report(bus: Bus) -> None:
    """Administrators and auditors of the owner, and the operator; others see nothing of it."""
    seen = {
        by.organisation: by.get("/v1/retention/removals").json()["items"]
        for by in (bus.admin, bus.actor("uji", "auditor"), bus.actor("lain", "admin"))
    }
    assert seen["lain"] == []
    (removal,) = seen["uji"]
    assert seen["nusabus"] == [removal]
    assert removal.items() >= {
        "kind": "events", "type": FREE, "shard": 0, "month": str(OLD), "count": COUNT,
        "lowest": 1, "highest": COUNT,
    }.items()  # fmt: skip
    for query, count in ((f"?type={FREE}", 1), ("?type=id.go.uji.x.y.v1", 0), ("?cursor=MQ", 0)):
        answer = bus.admin.get(f"/v1/retention/removals{query}")
        assert len(answer.json()["items"]) == count
    assert bus.admin.get("/v1/retention/months?cursor=MQ").status_code == 422


def test_what_is_held_and_what_is_there(bus: Bus) -> None:
    """As a run would have written it."""
    assert bus.admin.get("/v1/retention/holds").json() == {"items": []}
    bus.query(
        "INSERT INTO retention_holds VALUES "
        f"('{OLD}', '{FREE}', 'lain', 'lambat', 'unread', 7, now()) RETURNING 1"
    )
    bus.query(
        "INSERT INTO journal_month_types SELECT month, 'id.go.uji.a.b.v' || n, shard, 5, 50, 1, 9, "
        f"now(), now() FROM journal_month_types, generate_series(1, 2) n WHERE type = '{FREE}' "
        "RETURNING 1"
    )
    for by in (bus.admin, bus.actor("uji", "admin"), bus.actor("lain", "auditor")):
        (hold,) = by.get("/v1/retention/holds").json()["items"]
        assert (hold["subscription"], hold["reason"], hold["entries"]) == ("lambat", "unread", 7)
    first = bus.admin.get("/v1/retention/months?limit=1").json()
    second = bus.admin.get(f"/v1/retention/months?cursor={first['next']}").json()
    assert [each["type"] for each in first["items"] + second["items"]] == [
        "id.go.uji.a.b.v1",
        "id.go.uji.a.b.v2",
    ]
    assert bus.actor("lain", "admin").get("/v1/retention/months").json()["items"] == []


def test_the_commands_of_the_page_work(bus: Bus) -> None:
    """The block of `docs/operations/retention.md` that shows the report."""
    page = (ROOT / "docs/operations/retention.md").read_text()
    commands = re.findall(r"^nusabus (retention .*?) --profile nusabus\b", page, re.MULTILINE)
    assert len(commands) == 3
    environ = {
        **os.environ,
        "NUSABUS_URL": str(bus.http.base_url).rstrip("/"),
        "NUSABUS_CLIENT_ID": bus.admin.id,
        "NUSABUS_CLIENT_SECRET": bus.admin.secret,
    }
    for command in commands:
        for more in ([], ["--json"]):
            done = subprocess.run(
                [sys.executable, "-m", "adapters.cli", *command.split(), *more],
                env=environ, cwd=ROOT, text=True, capture_output=True, timeout=60, check=True,
            )  # fmt: skip
            assert "month" in done.stdout or '"items"' in done.stdout
            if "removals" in command:
                assert str(COUNT) in done.stdout
