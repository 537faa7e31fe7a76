"""The retention process: the only one whose login may take something away."""

import asyncpg

from gateway.base.database import Database
from gateway.base.database_hosts import DatabaseHosts
from gateway.base.errors import Invalid
from gateway.base.periodic import supervised
from gateway.base.settings import Settings
from gateway.base.stop import Stop
from gateway.journal import RetentionWorker
from gateway.processes.context import CONNECT, stop_on_signals
from gateway.processes.health_server import HealthServer

EVERY = 3600.0  # seconds: what expires is removed by months, so sooner would change nothing


async def retention(settings: Settings, *, once: bool) -> None:
    """Remove what has expired, every hour until SIGTERM or SIGINT, or once.

    Raises Invalid without a login, RoleTooPowerful for that of an owner, DatabaseUnavailable.
    """
    if settings.retention_database_url is None:
        raise Invalid(
            "NUSABUS_RETENTION_DATABASE_URL is missing. Give it the URL of the database with a "
            "login that is a member of nusabus_retention alone; see docs/operations/retention.md."
        )
    url = settings.retention_database_url.get_secret_value()
    await _require_limited_role(url)

    hosts = DatabaseHosts(url)

    async def connect() -> asyncpg.Connection:
        return await hosts.connect(
            timeout=CONNECT, server_settings={"application_name": "nusabus-retention"}
        )

    if once:
        await RetentionWorker(connect, Stop()).run_once()
        return
    async with stop_on_signals() as stop, supervised(stop) as background:
        worker = RetentionWorker(connect, stop)
        background.start("health", HealthServer(settings).run(stop))
        background.periodic("retention", worker.run_once, EVERY)


async def _require_limited_role(url: str) -> None:
    database = await Database.open(url, connections=1, timeout=CONNECT)
    try:
        await database.require_limited_role("NUSABUS_RETENTION_DATABASE_URL", "nusabus_retention")
    finally:
        await database.close()
