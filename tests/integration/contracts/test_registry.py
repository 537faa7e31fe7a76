"""Contracts in the database: loaded twice they are the same; a change is in force everywhere."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import text

from gateway import contracts, identity
from gateway.base.database import Database, Topic
from gateway.base.errors import Conflict
from gateway.base.snapshot import Snapshot, refresh
from gateway.contracts import Author, Catalogue, CatalogueLoader, Pattern, Submission, registry
from gateway.contracts.values import Version
from tests.builders import (
    a_contract,
    a_schema,
    a_submission,
)

Register = Callable[[Submission], Awaitable[bool]]


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = await Database.open(database_url, connections=1, timeout=10)
    yield database
    await database.close()


@pytest.fixture
async def register(database: Database) -> Register:
    async with database.change(Topic.IDENTITY) as session:
        await identity.provide_organisation(session, name="uji", title="Uji", description="")

    async def register(submission: Submission) -> bool:
        async with database.change(Topic.CONTRACTS) as session:
            return await contracts.register(session, submission)

    return register


def named(word: str, **changes: Any) -> Submission:
    """A submission of a type of the test's own."""
    return a_submission(contract=a_contract(type=f"id.go.uji.{word}.dicatat.v1", **changes))


async def test_a_contract_is_registered_once(register: Register) -> None:
    assert await register(named("sekali")) is True
    assert await register(named("sekali")) is False


async def test_white_space_and_member_order_are_no_change(register: Register) -> None:
    def versions(text: bytes) -> dict[str, Any]:
        return {"contract": named("spasi").contract, "versions": (Version(1, text),)}

    text = a_schema(title="x", minProperties=1.0)
    reordered = json.dumps(dict(reversed(json.loads(text).items())), indent=3).encode()
    assert await register(a_submission(**versions(text))) is True
    assert await register(a_submission(**versions(reordered))) is False


async def test_a_schema_is_for_life_and_a_title_is_not(register: Register) -> None:
    await register(named("tetap"))
    contract = named("tetap").contract
    changed = a_submission(contract=contract, versions=(Version(1, a_schema(minProperties=1)),))
    with pytest.raises(Conflict, match="version 1"):
        await register(changed)
    for change in ({"pattern": Pattern.POINT_TO_POINT}, {"owner": "lain"}):
        with pytest.raises(Conflict, match="cannot change"):
            await register(named("tetap", **change))
    assert await register(named("tetap", title="Another")) is True
    three = tuple(Version(n, a_schema(minProperties=n % 2)) for n in (1, 2, 3))
    with pytest.raises(Conflict, match="has the schema of version 1"):
        await register(a_submission(contract=named("ulang").contract, versions=three))
    two = (Version(1, a_schema()), Version(2, a_schema(minProperties=1)))
    assert await register(a_submission(contract=contract, versions=two)) is True


async def test_a_catalogue_has_the_newest_version_and_compiles_it_once(
    register: Register, database: Database
) -> None:
    snapshot = Snapshot(Topic.CONTRACTS, CatalogueLoader())
    await register(named("terbaru"))
    await refresh(database, snapshot)
    type = "id.go.uji.terbaru.dicatat.v1"
    before = snapshot.value
    assert before.validator(type).version == 1
    await register(named("lain"))
    await refresh(database, snapshot)
    assert snapshot.value.validator(type) is before.validator(type)
    two = (Version(1, a_schema()), Version(2, a_schema(required=["a"])))
    await register(a_submission(contract=named("terbaru").contract, versions=two))
    await refresh(database, snapshot)
    assert snapshot.value.validator(type).version == 2
    assert not snapshot.value.validator(type).accepts({})
    assert before.validator(type).accepts({})
    assert "id.go.uji.lain.dicatat.v1" not in before.contracts


async def test_a_catalogue_reads_only_what_changed(register: Register, database: Database) -> None:
    loader = CatalogueLoader()
    await register(named("satu"))
    await register(named("dua"))
    async with database.session() as session:
        first = await loader(session)
    compiled = first.validator("id.go.uji.dua.dicatat.v1")
    await register(named("dua", title="Another"))
    async with database.session() as session:
        second = await loader(session)
    same, other = "id.go.uji.satu.dicatat.v1", "id.go.uji.dua.dicatat.v1"
    assert second.contracts[same] is first.contracts[same]
    assert (first.contracts[other].title, second.contracts[other].title) == ("Uji", "Another")
    assert second.validator(other) is compiled, "what is compiled stays compiled"
    async with database.session() as session:
        assert (await CatalogueLoader()(session)).contracts == second.contracts


async def test_a_database_of_yesterday_is_read_anew(register: Register, database: Database) -> None:
    loader = CatalogueLoader()
    await register(named("kemarin"))
    async with database.session() as session:
        before = await loader(session)
    async with database.change(Topic.CONTRACTS) as session:
        await session.execute(text("UPDATE contracts SET changed = 0, title = 'Old'"))
    async with database.session() as session:
        after = await loader(session)
    assert after.contracts.keys() == before.contracts.keys()
    assert {contract.title for contract in after.contracts.values()} == {"Old"}


async def test_states_decide_which_version_validates(
    register: Register, database: Database
) -> None:
    two = (Version(1, a_schema()), Version(2, a_schema(required=["a"])))
    contract = named("keadaan").contract
    await register(a_submission(contract=contract, versions=two))
    loader, by = CatalogueLoader(), Author("c", "uji")

    async def catalogue() -> Catalogue:
        async with database.session() as session:
            return await loader(session)

    first = await catalogue()
    assert first.validator(contract.type).version == 2
    async with database.change(Topic.CONTRACTS) as session:
        notice = registry.DeprecationNotice(None, None)
        assert await registry.deprecate(session, contract.type, 2, notice, by=by)
        assert not await registry.deprecate(session, contract.type, 2, notice, by=by)
    second = await catalogue()
    assert second.validator(contract.type).version == 1, "an active one before a deprecated one"
    assert second.deprecated == {contract.type}
    async with database.change(Topic.CONTRACTS) as session:
        await registry.retire(session, contract.type, 1, by=by)
    third = await catalogue()
    assert third.validator(contract.type) is first.validator(contract.type)
    async with database.change(Topic.CONTRACTS) as session:
        await registry.retire(session, contract.type, 2, by=by)
    with pytest.raises(KeyError):
        (await catalogue()).validator(contract.type)
    assert first.validator(contract.type).version == 2, "a catalogue never changes"
