"""An older backup is restored: the drill of docs/operations/restoring.md on real servers."""

import asyncio
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.local.postgres import Postgres
from deploy.local.rabbitmq import RabbitMQ
from gateway.broker import Management
from gateway.relay.witness import Witness
from tests.builders import FREE, write_contracts
from tests.bus import Bus, Subscribed
from tests.defective import defective
from tests.readers import Received
from tests.restoring import PAGE, Archive, Backup, Restorable
from tests.servers import SMALL, fresh_database, fresh_virtual_host, furnish, small_postgres
from tests.waiting import eventually

pytestmark = [pytest.mark.faults, pytest.mark.timeout(400)]
COUNT = 12  # events: some for each shard
PROCESSES = ("api", "relay", "deliver")
OLD_CURSOR_KEPT = "from tests.faults.seeded_restore_bugs import *; old_cursor_kept()"
BEYOND = """
SELECT shard FROM journal_shards JOIN journal_leases USING (shard) WHERE cursor_sequence > last
"""
HELD = "SELECT count(*) FROM journal_leases WHERE expires > clock_timestamp()"

MakeOwnBus = Callable[..., Bus]


@pytest.fixture(scope="module")
def own_postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A server that goes back in time, which nobody else may notice."""
    server = small_postgres(tmp_path_factory.mktemp("restored"))
    server.start()
    yield server
    server.erase()


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    """Another such server, with an archive of its log."""
    made = Archive(tmp_path / "archived", SMALL)
    made.start()
    yield made
    made.postgres.erase()


@pytest.fixture
def make_own_bus(own_postgres: Postgres, rabbitmq: RabbitMQ, tmp_path: Path) -> MakeOwnBus:
    def make(postgres: Postgres = own_postgres, **settings: str) -> Bus:
        write_contracts(tmp_path / "contracts")
        url = fresh_database(postgres)
        admin = asyncio.run(furnish(url, tmp_path / "contracts"))
        amqp_url = fresh_virtual_host(rabbitmq)
        return Bus(tmp_path / "run", url, amqp_url, rabbitmq.management_url, admin, **settings)

    return make


class Drill:
    """Events A are in the backup, events B were published after it, events C after the restore."""

    def __init__(self, bus: Bus, keep: Callable[[], Restorable]) -> None:
        """`keep` makes what is restored."""
        self.bus = bus
        self.uji = bus.actor("uji")
        self.queue = self.uji.subscribe(FREE)
        self.before = self.publish("A")
        self.received: list[Received] = self.queue.take(COUNT)
        eventually(lambda: backlog(bus) == 0)
        self.backup = keep()
        bus.wait_ready()
        self.late = self.uji.subscribe(FREE)  # nobody will know of it
        self.lost = self.publish("B")
        self.received += self.queue.take(COUNT)
        eventually(lambda: backlog(bus) == 0)

    def publish(self, prefix: str) -> set[str]:
        ids = {f"{prefix}-{n}" for n in range(COUNT)}
        for each in ids:
            self.uji.published(id=each, subject=each)
        return ids

    def restore(self, *, alive: bool) -> None:
        if not alive:
            eventually(lambda: is_noted(self.bus))
            for process in self.bus.processes:
                process.kill()
        self.backup.restore()
        if not alive:
            self.bus.run(*PROCESSES)
        eventually(lambda: self.bus.query(HELD)[0][0] == 4)
        self.require_no_old_cursor()
        eventually(lambda: backlog(self.bus) == 0)

    def require_no_old_cursor(self) -> None:
        assert not self.bus.query(BEYOND), "a cursor of before was written"

    def require_promise(self) -> None:
        """What is answered from now on arrives, and no position is that of two events."""
        after = self.publish("C")
        self.received += self.queue.take_until(after.issubset)
        eventually(lambda: backlog(self.bus) == 0)
        positions: dict[str, set[str]] = {}
        for each in self.received:
            positions.setdefault(each.document["sequence"], set()).add(each.document["id"])
        assert all(len(ids) == 1 for ids in positions.values())
        assert stored_ids(self.bus) == self.before | after

    def recover(self) -> None:
        recover(self.bus, self.late)
        assert stored_ids(self.bus) > self.lost
        self.queue.take_until(self.lost.issubset)


@pytest.mark.parametrize("alive", [True, False], ids=["alive", "restarted"])
def test_what_is_accepted_after_a_restore_arrives(
    make_own_bus: MakeOwnBus, own_postgres: Postgres, tmp_path: Path, alive: bool
) -> None:
    with make_own_bus() as bus:
        drill = Drill(bus.run(*PROCESSES), lambda: Backup(own_postgres, tmp_path))
        drill.restore(alive=alive)
        drill.require_promise()
        if alive:
            drill.recover()


def test_a_moment_is_restored_from_the_archive_and_all_begins_again(
    make_own_bus: MakeOwnBus, archive: Archive
) -> None:
    """A base backup and the log since then: what came after the moment is published again."""
    with make_own_bus(archive.postgres) as bus:
        drill = Drill(bus.run(*PROCESSES), archive.moment)
        drill.restore(alive=False)
        drill.require_promise()
        drill.recover()
        began = bus.query("SELECT reason FROM journal_incarnations ORDER BY number")
        assert [reason for (reason,) in began] == ["made", "moved"]


def test_an_old_cursor_in_a_new_incarnation_is_found(
    make_own_bus: MakeOwnBus, own_postgres: Postgres, tmp_path: Path
) -> None:
    """The seeded bug: without it the drill would prove nothing."""
    code = defective(tmp_path / "bug", OLD_CURSOR_KEPT)
    with make_own_bus(NUSABUS_LEASE_SECONDS="120", **code) as bus:
        drill = Drill(bus.run(*PROCESSES), lambda: Backup(own_postgres, tmp_path))
        drill.backup.restore()
        eventually(lambda: bus.query(BEYOND))
        with pytest.raises(AssertionError, match="a cursor of before was written"):
            drill.require_no_old_cursor()


def recover(bus: Bus, late: Subscribed) -> None:
    """What the operator does then, as the page says: a report, and publishing again."""
    look, publish = re.findall(r"^ *\$ python -m gateway (.+)$", PAGE.read_text(), re.MULTILINE)
    report = bus.carry_out(*look.split())
    assert f"Queue {late.queue} holds {COUNT} messages beyond the journal." in report
    assert f"Queue {late.queue} belongs to no subscription" in report
    assert f"Events that the journal lacks: {COUNT}." in report
    assert not any(id.startswith("B-") for id in stored_ids(bus))
    assert f"Published again: {COUNT}." in bus.carry_out(*publish.split())
    assert "Published again: 0." in bus.carry_out(*publish.split())


def stored_ids(bus: Bus) -> set[str]:
    return {row[0] for row in bus.query("SELECT id FROM journal_entries")}


def backlog(bus: Bus) -> Any:
    try:
        answer = bus.http.get("/health/ready")
    except httpx.TransportError:
        return None
    shown = answer.json()["backlog"] if answer.status_code == httpx.codes.OK else None
    assert shown is None or shown >= 0
    return shown


def is_noted(bus: Bus) -> bool:
    """Whether the broker has been told how far the journal has come."""
    heads = dict(bus.query("SELECT shard, last FROM journal_shards"))
    noted = asyncio.run(_noted(bus))
    witness = Witness.parse(noted) if noted else None
    return witness is not None and {s: n for s, (n, _) in witness.entries.items()} == heads


async def _noted(bus: Bus) -> str | None:
    async with Management(bus.amqp_url, bus.environ["NUSABUS_MANAGEMENT_URL"]) as management:
        return await management.noted()
