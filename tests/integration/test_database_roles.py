"""What the login of the gateway's processes cannot do, asked of the catalogue and not of a list."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from deploy.local.gateway import carry_out
from deploy.local.postgres import Postgres
from deploy.local.processes import ServerError
from tests.bus import Bus
from tests.integration.journal_setup import Journal, a_journal
from tests.servers import as_owner, as_superuser, fresh_database, query

# What the processes may do with a table: select, insert, update (some columns), delete. A table
# that is not here is closed to them.
RIGHTS = {
    "client_certificates": "SID", "client_secrets": "SID", "clients": "SIU",
    "contract_examples": "SID", "contract_history": "SI", "contract_rules": "SIU",
    "contract_versions": "SIU", "contracts": "SIU", "control_revisions": "SU",
    "control_snapshots": "SIUD", "dead_letters": "SIU", "delivery_attempts": "SI",
    "delivery_cursors": "SIU", "delivery_dispatchers": "SIUD", "delivery_leases": "SIU",
    "delivery_open": "SIUD", "delivery_rates": "SIU", "delivery_settlements": "SI", "grants": "SID",
    "journal_detachments": "S", "journal_floors": "S", "journal_gaps": "S",
    "journal_identities": "S", "journal_incarnations": "SU", "journal_leases": "SIU",
    "journal_month_types": "S", "journal_origins": "S", "journal_relays": "SIUD",
    "journal_rows": "S", "journal_shards": "S", "journal_streams": "SIUD", "organisations": "SIU",
    "point_to_point_positions": "SIU", "quota_buckets": "SIU", "quota_reports": "SIUD",
    "redrives": "SIU", "refusals": "SI", "refused_replies": "SI", "retention_holds": "S",
    "retention_removals": "S", "signing_keys": "SIUD", "source_prefixes": "SID",
    "subscription_cursors": "SIU", "subscriptions": "SIUD", "webhook_endpoints": "SIU",
    "webhook_keys": "SIUD",
}  # fmt: skip
# Evidence: nobody changes a row of it, not even who owns the tables.
EVIDENCE = (
    "contract_history", "journal_detachments", "journal_identities", "journal_origins",
    "journal_rows", "refusals", "refused_replies", "retention_removals",
)  # fmt: skip
TABLES = """
SELECT relname FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') ORDER BY relname
"""
GIVEN = """
SELECT concat(CASE WHEN has_any_column_privilege(oid, 'SELECT') THEN 'S' END,
              CASE WHEN has_any_column_privilege(oid, 'INSERT') THEN 'I' END,
              CASE WHEN has_any_column_privilege(oid, 'UPDATE') THEN 'U' END,
              CASE WHEN has_table_privilege(oid, 'DELETE') THEN 'D' END,
              CASE WHEN has_table_privilege(oid, 'TRUNCATE, REFERENCES, TRIGGER') THEN '!' END)
FROM pg_class WHERE oid = $1::text::regclass
"""
# The first column that the database does not number itself.
KEY = """
SELECT attname FROM pg_attribute
WHERE attrelid = $1::text::regclass AND attnum > 0 AND attidentity = '' ORDER BY attnum LIMIT 1
"""


@pytest.fixture
async def app(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """What an attacker has who knows NUSABUS_DATABASE_URL, on a database with a partition.

    The tests share it: what is refused leaves nothing behind.
    """
    async with a_journal(database_url) as journal, journal.connection() as connection:
        await journal.execute("CREATE TABLE IF NOT EXISTS added_later AS SELECT 1 AS id")
        yield connection


@asynccontextmanager
async def _undone(connection: asyncpg.Connection) -> AsyncIterator[None]:
    transaction = connection.transaction()
    await transaction.start()
    try:
        yield
    finally:
        await transaction.rollback()


@asynccontextmanager
async def _root(journal: Journal) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(as_superuser(journal.url))
    try:
        yield connection
    finally:
        await connection.close()


async def _names(connection: asyncpg.Connection) -> list[str]:
    return [row[0] for row in await connection.fetch(TABLES)]


async def _key(connection: asyncpg.Connection, table: str) -> str:
    return str(await connection.fetchval(KEY, table))


async def _permitted(connection: asyncpg.Connection, statement: str) -> bool:
    """Whether the rights suffice, whatever comes of it."""
    try:
        async with _undone(connection):
            await connection.execute(statement)
    except asyncpg.InsufficientPrivilegeError:
        return False
    except asyncpg.PostgresError:
        return True
    return True


async def test_the_processes_have_the_rights_that_they_need_and_no_other(
    app: asyncpg.Connection,
) -> None:
    names = await _names(app)
    assert {"added_later", "alembic_version", "journal_entries_default"} < set(names)
    found = {table: await app.fetchval(GIVEN, table) for table in names}
    assert {table: rights for table, rights in found.items() if rights} == RIGHTS


async def test_what_is_not_permitted_is_refused(app: asyncpg.Connection) -> None:
    """The same by trying: also of keys, which no process changes."""
    for table in await _names(app):
        key, rights = await _key(app, table), RIGHTS.get(table, "")
        for right, statement in (
            ("S", f"SELECT FROM {table} LIMIT 1"),
            ("I", f"INSERT INTO {table} SELECT * FROM {table}"),
            ("D", f"DELETE FROM {table}"),
            ("never", f"UPDATE {table} SET {key} = {key}"),
            ("never", f"TRUNCATE {table} CASCADE"),
            ("never", f"COPY {table} FROM PROGRAM 'true'"),
            ("never", f"COPY {table} TO '/tmp/nusabus-copied'"),
        ):
            if right not in rights:
                assert not await _permitted(app, statement), statement


async def test_no_table_can_be_altered_dropped_or_disarmed(app: asyncpg.Connection) -> None:
    for table in await _names(app):
        for statement in (
            f"ALTER TABLE {table} DISABLE TRIGGER ALL",
            f"ALTER TABLE {table} ADD COLUMN x int",
            f"ALTER TABLE {table} RENAME TO y",
            f"ALTER TABLE {table} OWNER TO nusabus_app",
            f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
            f"DROP TABLE {table} CASCADE",
            f"CREATE INDEX ON {table} ((1))",
            f"CREATE RULE r AS ON INSERT TO {table} DO INSTEAD NOTHING",
            f"CREATE TRIGGER t BEFORE INSERT ON {table} EXECUTE FUNCTION refuse_change()",
            f"GRANT ALL ON {table} TO PUBLIC",
            f"COMMENT ON TABLE {table} IS 'x'",
        ):
            # GRANT may end with a warning, and then nothing was granted.
            assert not await _permitted(app, statement) or statement.startswith("GRANT"), statement
    granted = "SELECT count(*) FROM information_schema.role_table_grants WHERE grantee = 'PUBLIC'"
    assert await app.fetchval(granted + " AND table_schema = 'public'") == 0


@pytest.mark.parametrize(
    "statement",
    [
        "SET ROLE nusabus_owner",
        "SET ROLE nusabus_retention",
        "SET ROLE postgres",
        "SET SESSION AUTHORIZATION nusabus_owner",
        "SET session_replication_role = replica",
        "GRANT nusabus_owner TO nusabus",
        "ALTER ROLE nusabus SUPERUSER",
        "ALTER ROLE nusabus_app CREATEROLE",
        "CREATE ROLE another",
        "ALTER SYSTEM SET fsync = off",
        "CREATE FUNCTION public.f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS ''",
        "ALTER FUNCTION journal_append_rows OWNER TO nusabus_app",
        "ALTER FUNCTION journal_append_rows SECURITY INVOKER",
        "DROP FUNCTION refuse_change CASCADE",
        "CREATE TABLE public.x (a int)",
        "CREATE TEMPORARY TABLE journal_shards (a int)",
        "CREATE SCHEMA mine",
        "CREATE EXTENSION pgcrypto",
        "ALTER SCHEMA public OWNER TO nusabus_app",
        "SELECT journal_create_partition('2031-01-01')",
        "SELECT journal_detach_partition('2020-01-01')",
        "SELECT journal_drop_detached('2020-01-01')",
        "SELECT retention_swap()",
        "SELECT retention_drop()",
        "SELECT retention_forget(1)",
        "SELECT retention_forget_identities(1)",
        "UPDATE contracts SET retention_changed = '2020-01-01'",
        "UPDATE retention_periods SET days = 1",
        "SELECT setval('delivery_epochs', 1)",
        "SELECT setval('identity_change_numbers', 1)",
        "UPDATE delivery_retention SET days = 1",
        "SELECT pg_read_file('/etc/passwd')",
        "DO $$ BEGIN EXECUTE 'SET ROLE nusabus_owner'; END $$",
        "ALTER DATABASE postgres SET search_path = x",
        "DROP OWNED BY nusabus_owner",
        "REASSIGN OWNED BY nusabus_owner TO nusabus",
    ],
)
async def test_the_login_rises_no_higher(app: asyncpg.Connection, statement: str) -> None:
    refused = "permission denied|must be (owner|superuser|able)|privilege|not available"
    with pytest.raises(asyncpg.PostgresError, match=refused):
        await app.execute(statement)
    assert await app.fetchval("SELECT current_user") == "nusabus"


async def test_a_changed_search_path_lends_nobody_the_owners_rights(journal: Journal) -> None:
    """Functions that run with the owner's rights have a path of their own."""
    async with journal.owner() as owner:
        lent = await owner.fetch(
            "SELECT proname, proconfig, proacl FROM pg_proc "
            "WHERE pronamespace = 'public'::regnamespace AND prosecdef"
        )
    assert {row["proname"] for row in lent} == {
        "delivery_forget",
        "journal_append",
        "journal_append_rows",
        "journal_create_coming_partition",
        "journal_detach_partition",
        "journal_drop_detached",
        "journal_enter",
        "retention_copy",
        "retention_count",
        "retention_decide",
        "retention_drop",
        "retention_forget",
        "retention_forget_identities",
        "retention_swap",
    }
    for row in lent:
        assert "search_path=pg_catalog, public, pg_temp" in row["proconfig"], row["proname"]
        assert not any(str(each).startswith("=") for each in row["proacl"]), "PUBLIC"


@pytest.mark.parametrize("table", EVIDENCE)
async def test_triggers_refuse_owners_and_stray_grants(journal: Journal, table: str) -> None:
    async with journal.owner() as owner, journal.connection() as app, _root(journal) as root:
        await owner.execute(f"GRANT ALL ON {table} TO nusabus_app")
        key = await _key(owner, table)
        for text in (
            f"UPDATE {table} SET {key} = {key}",
            f"DELETE FROM {table}",
            f"TRUNCATE {table}",
        ):
            for connection in (owner, app, root):
                with pytest.raises(asyncpg.InsufficientPrivilegeError, match="only added to"):
                    await connection.execute(text)


async def test_every_partition_refuses_by_itself(journal: Journal) -> None:
    async with journal.owner() as owner:
        names = [
            row[0]
            for row in await owner.fetch(
                "SELECT inhrelid::regclass::text FROM pg_inherits "
                "WHERE inhparent = 'journal_rows'::regclass"
            )
        ]
        assert len(names) == 4 + 1
        for name in names:
            for statement in ("UPDATE {0} SET id = id", "DELETE FROM {0}", "TRUNCATE {0}"):
                with pytest.raises(asyncpg.InsufficientPrivilegeError, match="only added to"):
                    await owner.execute(statement.format(name))


@pytest.mark.parametrize("command", ["api", "relay", "deliver"])
def test_a_process_with_the_owners_login_does_not_start(bus: Bus, command: str) -> None:
    for login in (as_owner, as_superuser):
        environ = bus.environ | {"NUSABUS_DATABASE_URL": login(bus.database_url)}
        with pytest.raises(ServerError, match="member of nusabus_app alone"):
            asyncio.run(carry_out(command, run=bus.folder, environ=environ))


def test_a_login_that_is_no_owner_cannot_migrate(bus: Bus, postgres: Postgres) -> None:
    environ = bus.environ | {"NUSABUS_DATABASE_URL": fresh_database(postgres)}
    with pytest.raises(ServerError, match="nusabus_owner") as caught:
        asyncio.run(carry_out("migrate", run=bus.folder, environ=environ))
    assert "Traceback" not in str(caught.value)


def test_what_a_member_of_the_owner_migrates_belongs_to_the_owner(
    bus: Bus, postgres: Postgres
) -> None:
    url = fresh_database(postgres)
    for login in (as_superuser, _member(as_superuser(url))):
        environ = bus.environ | {"NUSABUS_MIGRATION_DATABASE_URL": login(url)}
        asyncio.run(carry_out("migrate", run=bus.folder, environ=environ))
    owners = (
        "SELECT DISTINCT relowner::regrole::text FROM pg_class "
        "WHERE relnamespace = 'public'::regnamespace"
    )
    assert [row[0] for row in query(as_owner(url), owners)] == ["nusabus_owner"]


def _member(url: str) -> Callable[[str], str]:
    """Another login of the owner's, as one has while a password is replaced."""
    query(url, "CREATE ROLE second_owner LOGIN PASSWORD 'second' IN ROLE nusabus_owner")
    parts = urlsplit(url)
    netloc = f"second_owner:second@{parts.hostname}:{parts.port}"
    return lambda _: urlunsplit(parts._replace(netloc=netloc))
