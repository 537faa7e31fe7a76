"""An older backup is restored: a drill of docs/operations/restoring.md on real servers."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.local.postgres import Postgres
from deploy.local.rabbitmq import RabbitMQ
from gateway.broker import Management
from gateway.relay.witness import Witness
from tests.builders import FREE, write_contracts
from tests.bus import Actor, Bus, Subscribed
from tests.restoring import Backup
from tests.servers import fresh_database, fresh_virtual_host, furnish, small_postgres
from tests.waiting import eventually

pytestmark = pytest.mark.faults
COUNT = 12  # events: some for each shard


@pytest.fixture(scope="module")
def own_postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A server that goes back in time, which nobody else may notice."""
    server = small_postgres(tmp_path_factory.mktemp("restored"))
    server.start()
    yield server
    server.erase()


@pytest.fixture
def bus(own_postgres: Postgres, rabbitmq: RabbitMQ, tmp_path: Path) -> Iterator[Bus]:
    write_contracts(tmp_path / "contracts")
    url = fresh_database(own_postgres)
    admin = asyncio.run(furnish(url, tmp_path / "contracts"))
    amqp_url = fresh_virtual_host(rabbitmq)
    with Bus(tmp_path / "run", url, amqp_url, rabbitmq.management_url, admin) as bus:
        yield bus.run("api", "relay", "deliver")


def publish(actor: Actor, prefix: str) -> set[str]:
    ids = {f"{prefix}-{n}" for n in range(COUNT)}
    for each in ids:
        actor.published(id=each, subject=each)
    return ids


def backlog(bus: Bus) -> Any:
    try:
        answer = bus.http.get("/health/ready")
    except httpx.TransportError:
        return None
    return answer.json()["backlog"] if answer.status_code == 200 else None


def is_noted(bus: Bus) -> bool:
    """Whether the broker has been told how far the journal has come."""
    heads = dict(bus.query("SELECT shard, last FROM journal_shards"))
    noted = asyncio.run(_noted(bus))
    witness = Witness.parse(noted) if noted else None
    return witness is not None and {s: n for s, (n, _) in witness.entries.items()} == heads


async def _noted(bus: Bus) -> str | None:
    async with Management(bus.amqp_url, bus.environ["NUSABUS_MANAGEMENT_URL"]) as management:
        return await management.noted()


@pytest.mark.parametrize("alive", [True, False], ids=["alive", "restarted"])
def test_nothing_is_lost_after_a_restore_but_what_the_backup_lacks(
    bus: Bus, own_postgres: Postgres, tmp_path: Path, alive: bool
) -> None:
    uji = bus.actor("uji")
    queue = uji.subscribe(FREE)
    before = publish(uji, "A")
    received = queue.take(COUNT)
    eventually(lambda: backlog(bus) == 0)
    backup = Backup(own_postgres, tmp_path)
    bus.wait_ready()
    late = uji.subscribe(FREE)  # nobody will know of it
    lost = publish(uji, "B")
    received += queue.take(COUNT)
    eventually(lambda: backlog(bus) == 0)

    if not alive:
        eventually(lambda: is_noted(bus))
        for process in bus.processes:
            process.kill()
    backup.restore()
    if not alive:
        bus.run("api", "relay", "deliver")
    eventually(lambda: backlog(bus) == 0)

    assert queue.show()["state"] == "active"
    after = publish(uji, "C")
    received += queue.take_until(after.issubset)
    eventually(lambda: backlog(bus) == 0)
    positions: dict[str, set[str]] = {}
    for each in received:
        positions.setdefault(each.document["sequence"], set()).add(each.document["id"])
    assert all(len(ids) == 1 for ids in positions.values())
    stored = stored_ids(bus)
    assert stored == before | after
    assert lost.isdisjoint(stored)
    if alive:
        assert recovered(bus, late) == lost
        received = queue.take_until(lost.issubset)
        assert lost == stored_ids(bus) - before - after


def recovered(bus: Bus, late: Subscribed) -> set[str]:
    """What the operator does then, as the page says: a report, and publishing again."""
    report = bus.carry_out("journal", "recover")
    assert f"Queue {late.queue} holds {COUNT} messages beyond the journal." in report
    assert f"Queue {late.queue} belongs to no subscription" in report
    assert f"Events that the journal lacks: {COUNT}." in report
    assert not stored_ids(bus) & {f"B-{n}" for n in range(COUNT)}
    assert f"Published again: {COUNT}." in bus.carry_out("journal", "recover", "--publish")
    assert "Published again: 0." in bus.carry_out("journal", "recover", "--publish")
    return {id for id in stored_ids(bus) if id.startswith("B-")}


def stored_ids(bus: Bus) -> set[str]:
    return {row[0] for row in bus.query("SELECT id FROM journal_entries")}
