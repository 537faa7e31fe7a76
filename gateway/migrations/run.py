"""Bring a database to the newest shape."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

from gateway.base.database import make_engine
from gateway.base.database_hosts import DatabaseHosts
from gateway.migrations.position_indexes import make_position_indexes

# Whatever login migrates, this role owns what it makes: functions run with their owner's rights.
OWNER = {"role": "nusabus_owner"}
_LOCK = 0x6E757361  # any number that nobody else takes as an advisory lock


async def migrate(url: str) -> None:
    """Run what is missing, in one transaction, then make indexes beside intake.

    Several processes may call this at once. Raises asyncpg.PostgresError, also when the login is no
    member of `nusabus_owner`.
    """
    hosts = DatabaseHosts(url)
    engine = make_engine(hosts, command_timeout=None, server_settings=OWNER)
    try:
        async with engine.begin() as connection:
            await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            await connection.run_sync(_upgrade)
    finally:
        await engine.dispose()
    await make_position_indexes(hosts, OWNER)


def _upgrade(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
