"""The primary of the database is lost, and its standby is promoted, as the page says."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.ports import LOOPBACK
from deploy.local.postgres_pair import PostgresPair
from deploy.local.rabbitmq import RabbitMQ
from tests.builders import FREE, a_document, write_contracts
from tests.bus import Bus
from tests.guides import ROOT, blocks, commands
from tests.servers import SMALL, fresh_database, fresh_virtual_host, furnish

PAGE = ROOT / "docs/operations/failover.md"


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[PostgresPair]:
    made = PostgresPair(tmp_path / "pair", settings=SMALL)
    try:
        made.start()
        yield made
    finally:
        made.erase()


@pytest.fixture
def bus(pair: PostgresPair, rabbitmq: RabbitMQ, tmp_path: Path) -> Iterator[Bus]:
    """A bus that knows both servers."""
    write_contracts(tmp_path / "contracts")
    url = fresh_database(pair.primary)
    admin = asyncio.run(furnish(url, tmp_path / "contracts"))
    hosts = ",".join(f"{LOOPBACK}:{each.port}" for each in pair.members)
    both = url.replace(f"{LOOPBACK}:{pair.primary.port}", hosts)
    with Bus(
        tmp_path / "run", url, fresh_virtual_host(rabbitmq), rabbitmq.management_url, admin,
        NUSABUS_DATABASE_URL=f"{both}?target_session_attrs=primary",
    ) as bus:  # fmt: skip
        yield bus.run("api", "relay")


def test_the_standby_takes_over_and_nothing_is_lost(bus: Bus, pair: PostgresPair) -> None:
    uji = bus.actor("uji")
    subscribed = uji.subscribe(FREE)
    wanted = {uji.published() for _ in range(8)}
    pair.primary.kill()
    unanswered = a_document()
    assert uji.publish(unanswered).status_code == 503
    for statements in blocks(PAGE, "sql"):
        pair.standby.execute(statements)
    bus.wait_ready()
    assert uji.publish(unanswered).json()["duplicate"] is False
    wanted |= {unanswered["id"], *(uji.published() for _ in range(8))}
    subscribed.take_until(wanted.issubset)
    assert "journal.restored" in bus.logs()
    [recover] = commands(PAGE, "python -m gateway ")
    report = bus.carry_out(*recover.split()[3:])
    assert "The journal is in incarnation 2." in report
    assert "Events that the journal lacks: 0." in report
