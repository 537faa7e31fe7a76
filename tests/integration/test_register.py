"""The limits of the table of subscriptions."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text

from gateway.base.database import Database, Topic
from gateway.base.errors import Conflict
from gateway.identity import provide_organisation
from gateway.subscriptions import Delivery, Terms, register
from tests.builders import a_subscription

FILTERED = Terms(filters=({"exact": {"subject": "1"}},))


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = await Database.open(database_url, connections=1, timeout=10)
    async with database.change(Topic.IDENTITY) as session:
        await provide_organisation(session, name="lain", title="Lain", description="")
        await session.execute(
            text(
                "INSERT INTO clients VALUES ('lain-client', 'lain', 'L', '{}', 'active', now()) "
                "ON CONFLICT DO NOTHING"
            )
        )
    yield database
    await database.close()


async def test_queues_with_filters_are_as_many_as_fit_a_header(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(register, "FILTERED_KEYS_BYTES", 2 * (len("lain") + len("satu") + 25))

    async def add(name: str, **changes: object) -> None:
        async with database.change(Topic.SUBSCRIPTIONS) as session:
            await register.add(session, a_subscription(name=name, **changes), {0: 0}, 100)

    await add("satu", terms=FILTERED)
    await add("duaa", terms=FILTERED)
    with pytest.raises(Conflict, match="queues with filters"):
        await add("tiga", terms=FILTERED)
    await add("ditarik", terms=FILTERED, delivery=Delivery.PULL)
    await add("buka")
    everything = a_subscription(name="buka")
    with pytest.raises(Conflict, match="queues with filters"):
        async with database.change(Topic.SUBSCRIPTIONS) as session:
            await register.set_terms(session, everything, FILTERED)
    one = a_subscription(name="satu", terms=FILTERED)
    other = Terms(filters=({"exact": {"subject": "2"}},))
    async with database.change(Topic.SUBSCRIPTIONS) as session:
        await register.set_terms(session, one, other)
        await register.set_terms(session, one, Terms())
        await register.set_terms(session, everything, FILTERED)


async def test_a_shard_may_have_more_entries_than_fit_into_32_bits(database: Database) -> None:
    far = a_subscription(name="jauh")
    async with database.change(Topic.SUBSCRIPTIONS) as session:
        await register.add(session, far, {0: 2**40}, 100)
    async with database.session() as session:
        assert await register.start_positions(session, far) == {0: 2**40}
