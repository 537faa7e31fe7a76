"""A full disk, of the database or of the broker: readiness says it, nothing is lost, it goes by."""

from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
import httpx
import pytest

from deploy.local.ports import LOOPBACK, free_port
from deploy.local.rabbitmq import RabbitMQ
from gateway.base.errors import JournalUnavailable
from tests.builders import FREE, a_document
from tests.bus import Actor, Bus, MakeBus
from tests.integration.journal_setup import Journal
from tests.waiting import eventually

# What a statement raises when a table cannot grow.
FULL = """
CREATE FUNCTION disk_is_full() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full';
END $$
"""


@pytest.fixture(scope="module")
def second() -> str:
    return str(free_port())


@pytest.fixture(scope="module")
def health() -> str:
    return str(free_port())


@pytest.fixture(scope="module")
def bus(make_bus: MakeBus, second: str, health: str) -> Iterator[Bus]:
    """Two api processes, to one of which nobody publishes, and a relay with a health port."""
    with make_bus() as bus:
        bus.query(FULL)
        other = bus.start("api", NUSABUS_PORT=second)
        relay = bus.start("relay", NUSABUS_HEALTH_PORT=health)
        bus.run("api")
        eventually(lambda: other.listens_on(int(second)) and relay.listens_on(int(health)))
        yield bus


@pytest.fixture
def uji(bus: Bus) -> Actor:
    return bus.actor("uji")


@contextmanager
def full_disk(bus: Bus) -> Iterator[None]:
    make = (
        "CREATE TRIGGER full_disk BEFORE INSERT ON journal_rows "
        "FOR EACH ROW EXECUTE FUNCTION disk_is_full()"
    )
    eventually(lambda: changed(bus, make))
    try:
        yield
    finally:
        eventually(lambda: changed(bus, "DROP TRIGGER full_disk ON journal_rows"))


def changed(bus: Bus, statement: str) -> bool:
    """False where an append has the partition and waits for the table, as the change for it."""
    try:
        bus.query(statement)
    except asyncpg.DeadlockDetectedError:
        return False
    return True


def readiness(port: str | int) -> httpx.Response:
    return httpx.get(f"http://{LOOPBACK}:{port}/health/ready")


def test_every_process_says_that_the_disk_is_full_until_it_is_not(
    bus: Bus, uji: Actor, second: str
) -> None:
    eventually(lambda: readiness(second).status_code == 200)
    event = a_document()
    with full_disk(bus):
        answer = uji.publish(event)
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) >= 1
        for port in (bus.port, second):
            eventually(lambda: readiness(port).status_code == 503)  # noqa: B023
            assert "disk of the database is full" in readiness(port).json()["detail"]
        assert bus.answers("/health/live") == 200
        assert uji.publish(event).status_code == 503
        assert uji.get("/v1/subscriptions").status_code == 200
    for port in (bus.port, second):  # without another event
        eventually(lambda: readiness(port).status_code == 200)  # noqa: B023
    assert uji.publish(event).json()["duplicate"] is False
    assert "disk of the database is full" in bus.logs()
    assert bus.query("SELECT id FROM journal_entries WHERE type LIKE '%jurnal.dicoba%'") == []


def test_a_relay_says_that_the_broker_takes_nothing(
    bus: Bus, uji: Actor, health: str, rabbitmq: RabbitMQ
) -> None:
    """By the disk alarm. Events are accepted meanwhile, so the api stays ready, and arrive."""
    subscribed = uji.subscribe(FREE)
    eventually(lambda: readiness(health).status_code == 200)
    rabbitmq.ctl("set_disk_free_limit", "100000GB")
    try:
        events = [uji.published() for _ in range(3)]
        eventually(lambda: readiness(health).status_code == 503)
        assert rabbitmq.node in rabbitmq.ctl("alarms", tool="rabbitmq-diagnostics")
        assert "broker" in readiness(health).json()["detail"]
        assert readiness(bus.port).status_code == 200
        eventually(lambda: "disk or memory alarm" in bus.logs())
    finally:
        rabbitmq.ctl("set_disk_free_limit", "50MB")
    eventually(lambda: readiness(health).status_code == 200)
    subscribed.take_until(lambda ids: ids.issuperset(events))
    assert subscribed.end() == 0


async def test_the_probe_is_stopped_by_what_stops_appends_and_leaves_nothing(
    journal: Journal,
) -> None:
    """Somebody holds the counters of the journal: no append is confirmed, all reads work."""
    async with journal.owner() as holder, journal.writer(timeout=2) as writer:
        probe = writer.probe
        await probe.run_once()  # without a doubt it does nothing
        async with holder.transaction():
            await holder.execute("SELECT FROM journal_shards FOR UPDATE")
            probe.doubt()
            with pytest.raises(JournalUnavailable, match="cannot be written"):
                await probe.run_once()
            with pytest.raises(JournalUnavailable, match="cannot be written"):
                probe.require_writable()
    async with journal.writer() as writer:
        writer.probe.doubt()
        await writer.probe.run_once()
        writer.probe.require_writable()
    assert await journal.require_gapless() == 0
