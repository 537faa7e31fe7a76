"""Permissions at the broker are not taken of a password that was renewed a moment ago."""

from collections.abc import Iterator

import pytest

from gateway import subscriptions
from gateway.base.database import Database, Topic
from gateway.base.snapshot import Snapshot, refresh
from gateway.broker import Management, names
from gateway.identity import DirectoryLoader
from gateway.subscriptions.broker_access import BrokerAccess
from tests.builders import FREE, a_name
from tests.bus import Actor, Bus, MakeBus


@pytest.fixture(scope="module")
def bus(make_bus: MakeBus) -> Iterator[Bus]:
    """Without a relay, whose leader would look at the users too."""
    with make_bus() as bus:
        yield bus.run("api")


async def test_a_password_that_is_renewed_meanwhile_stays(bus: Bus) -> None:
    client = bus.actor("uji")
    old, kept = a_name(), a_name()
    for name in (old, kept):
        assert client.put_subscription(name, FREE).status_code == 201
    secrets = f"/v1/clients/{client.id}/secrets"
    (first,) = bus.admin.get(secrets).raise_for_status().json()["items"]
    database = await Database.open(bus.database_url, connections=2, timeout=10)
    directories = Snapshot(Topic.IDENTITY, DirectoryLoader())
    loaded = Snapshot(Topic.SUBSCRIPTIONS, subscriptions.load)
    amqp, management_url = bus.amqp_url, bus.environ["NUSABUS_MANAGEMENT_URL"]
    async with Management(amqp, management_url) as management:
        access = BrokerAccess(database, management, directories, loaded)
        await refresh(database, directories, loaded)
        bus.admin.delete(f"{secrets}/{first['id']}").raise_for_status()
        await refresh(database, directories)
        await access.run_once()
        made = bus.admin.post(secrets).raise_for_status().json()
        rotated = Actor(bus, "uji", client.id, made["secret"])
        rotated.post(f"/v1/subscriptions/{kept}/credentials").raise_for_status()
        await access.run_once()
        permitted = await management.permitted_users()
    await database.close()
    assert names.user(names.queue("uji", old)) not in permitted
    assert names.user(names.queue("uji", kept)) in permitted
