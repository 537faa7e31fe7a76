"""The directory that follows each change is the one that is loaded as a whole."""

import asyncio
from collections.abc import Awaitable, Callable
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from gateway import identity
from gateway.base.database import Database, Topic
from gateway.base.errors import Conflict, NotFound
from gateway.identity import (
    Client,
    ClientState,
    Directory,
    DirectoryLoader,
    GrantAction,
    Quota,
    Role,
)
from tests.integration.identity_api import changed_as_owner, settings_for

Change = Callable[["World"], Awaitable[object]]


class World:
    """A database that changes, and the directory that follows."""

    def __init__(self, database: Database, url: str, random: Random) -> None:
        self.database = database
        self.settings = settings_for(url)
        self.random = random
        self.loader = DirectoryLoader()
        self.directory = Directory({}, {}, {}, ())

    async def load(self, loader: DirectoryLoader | None = None) -> Directory:
        async with self.database.session() as session:
            return await (loader or self.loader)(session)

    @property
    def by(self) -> Client:
        return self.directory.clients["nusabus-admin"]

    @property
    def organisation(self) -> str:
        return self.random.choice(sorted(self.directory.organisations))

    @property
    def client(self) -> str:
        others = sorted(self.directory.clients.keys() - {self.by.id})
        return self.random.choice(others or [self.by.id])

    @property
    def name(self) -> str:
        return f"o{self.random.randrange(10**9)}"


async def bootstrap(world: World) -> None:
    await identity.bootstrap(world.database, world.settings, reset=True)
    await identity.maintain_signing_keys(world.database, world.settings)


async def create_organisation(world: World) -> None:
    await identity.create_organisation(
        world.database, by=world.by, name=world.name, title="x", description=""
    )


async def provide_organisation(world: World) -> None:
    async with world.database.change(Topic.IDENTITY) as session:
        await identity.provide_organisation(
            session, name=world.organisation, title=world.name, description=""
        )


async def suspend_organisation(world: World) -> None:
    await identity.suspend_organisation(
        world.database, by=world.by, name=world.organisation, reason=world.name
    )


async def resume_organisation(world: World) -> None:
    await identity.resume_organisation(world.database, by=world.by, name=world.organisation)


async def create_client(world: World) -> None:
    await identity.create_client(
        world.database,
        by=world.by,
        organisation=world.organisation,
        title="x",
        roles={Role.PUBLISHER},
        directory=world.directory,
    )


async def change_client(world: World) -> None:
    await identity.change_client(
        world.database,
        by=world.by,
        id=world.client,
        title=world.name,
        roles={world.random.choice(list(Role))},
        state=world.random.choice(list(ClientState)),
        directory=world.directory,
    )


async def change_quotas(world: World) -> None:
    own = [id for id, each in world.directory.clients.items() if each.organisation == "nusabus"]
    await identity.change_quotas(
        world.database,
        by=world.by,
        organisation="nusabus",
        own={Quota.EVENTS: world.random.randrange(1, 9)},
        clients={world.random.choice(sorted(own)): {Quota.STREAMS: world.random.randrange(1, 9)}},
        revision=None,
    )


async def add_secret(world: World) -> None:
    await identity.add_secret(world.database, world.settings, by=world.by, client=world.client)


async def remove_secret(world: World) -> None:
    held = [(id, each.id) for id, own in world.directory.secrets.items() for each in own]
    client, secret = world.random.choice(sorted(held))
    if client != world.by.id:
        await identity.remove_secret(world.database, by=world.by, client=client, id=secret)


async def create_grant(world: World) -> None:
    await identity.create_grant(
        world.database,
        by=world.by,
        organisation=world.organisation,
        action=world.random.choice(list(GrantAction)),
        type=f"id.go.{world.name}.*",
        directory=world.directory,
    )


async def remove_grant(world: World) -> None:
    grants = sorted(world.directory.grants, key=lambda grant: grant.id)
    grant = world.random.choice(grants) if grants else None
    await identity.remove_grant(
        world.database,
        by=world.by,
        organisation=grant.organisation if grant else "nobody",
        id=grant.id if grant else "none",
    )


async def assign_source_prefix(world: World) -> None:
    await identity.assign_source_prefix(
        world.database,
        by=world.by,
        organisation=world.organisation,
        prefix=f"https://{world.name}.example/",
    )


async def withdraw_source_prefix(world: World) -> None:
    prefix = world.random.choice(world.directory.source_owners.prefixes)
    await identity.withdraw_source_prefix(
        world.database, by=world.by, organisation=prefix.organisation or "nobody", id=prefix.id
    )


async def change_operator(world: World) -> None:
    """No interface does this after the bootstrap, but its clients would show it."""
    async with world.database.change(Topic.IDENTITY) as session:
        statement = "UPDATE organisations SET operator = NOT operator WHERE name = :name"
        organisation = world.directory.organisations[world.organisation]
        if organisation.name != "nusabus" and organisation.suspended is None:
            await session.execute(text(statement), {"name": organisation.name})


CHANGES: list[Change] = [
    bootstrap,
    create_organisation,
    provide_organisation,
    suspend_organisation,
    resume_organisation,
    create_client,
    change_quotas,
    change_client,
    add_secret,
    remove_secret,
    create_grant,
    remove_grant,
    assign_source_prefix,
    withdraw_source_prefix,
    change_operator,
]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(CHANGES), st.booleans()), max_size=30), st.randoms())
def test_a_directory_that_follows_is_the_one_that_is_loaded_whole(
    database_url: str, changes: list[tuple[Change, bool]], random: Random
) -> None:
    """Each example goes on with the database of the one before. Some changes are loaded as one."""

    async def follow() -> None:
        database = await Database.open(database_url, connections=1, timeout=10)
        try:
            world = World(database, database_url, random)
            await bootstrap(world)
            world.directory = await world.load()
            for change, is_loaded in changes:
                try:
                    await change(world)
                except (Conflict, NotFound):
                    continue
                if is_loaded:
                    world.directory = await world.load()
                    assert world.directory == await world.load(DirectoryLoader())
            assert await world.load() == await world.load(DirectoryLoader())
        finally:
            await database.close()

    asyncio.run(follow())


async def test_a_directory_follows_a_database_that_was_restored(database_url: str) -> None:
    database = await Database.open(database_url, connections=1, timeout=10)
    try:
        world = World(database, database_url, Random(0))
        await bootstrap(world)
        world.directory = await world.load()
        await create_organisation(world)
        await world.load()
        async with changed_as_owner(world.settings) as session:
            newest = "SELECT max(changed) FROM organisations"
            (name,) = await session.scalars(
                text(f"SELECT name FROM organisations WHERE changed = ({newest})")
            )
            for statement in (
                "DELETE FROM source_prefixes WHERE organisation = :name",
                "DELETE FROM organisations WHERE name = :name",
            ):
                await session.execute(text(statement), {"name": name})
        assert await world.load() == world.directory == await world.load(DirectoryLoader())
    finally:
        await database.close()
