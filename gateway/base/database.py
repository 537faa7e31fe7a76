"""Access to PostgreSQL: sessions for the control plane, a raw pool for the journal.

The control plane is small and read from memory. A change also increments a *revision* in the same
transaction; every process polls the revisions a few times a second and reloads what has changed. So
a process sees a change completely or not at all, and needs no message for it.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from enum import StrEnum
from typing import Any

import asyncpg
from asyncpg.exceptions._base import DataError as ArgumentError  # raised by its encoders
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)

from gateway.base.database_hosts import DatabaseHosts
from gateway.base.defects import report_defect
from gateway.base.errors import Invalid, NusabusError, Unavailable

# Raised by asyncpg and its sockets while the server is down, starting or unreachable, and when it
# has rolled back a transaction that may be repeated (a deadlock, a lock timeout).
OUTAGES: tuple[type[BaseException], ...] = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.TransactionRollbackError,
    asyncpg.LockNotAvailableError,
)

# Raised for what a statement was given: text with NUL, a number out of range, a row too large.
CONTENT_ERRORS: tuple[type[BaseException], ...] = (
    UnicodeError,
    ArgumentError,  # which is an InterfaceError, but no outage
    asyncpg.DataError,
    asyncpg.CheckViolationError,
    asyncpg.ProgramLimitExceededError,
)

# A superuser is a member of every role.
_OWNED_TABLES = """
SELECT count(*) FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
  AND pg_has_role(current_user, relowner, 'MEMBER')
"""
_AWAY = "The database does not answer. Try again."
_FULL = "The disk of the database is full. Make room on it, then try again."

AnyConnection = asyncpg.Connection | asyncpg.pool.PoolConnectionProxy
OnConnect = Callable[[AnyConnection], Awaitable[None]]


class Topic(StrEnum):
    """A part of the control plane that is loaded as a whole."""

    IDENTITY = "identity"
    CONTRACTS = "contracts"
    SUBSCRIPTIONS = "subscriptions"


class DatabaseUnavailable(Unavailable):
    """PostgreSQL does not answer. Whether a change was made is unknown; it may be repeated."""

    code = "database-unavailable"
    dependency = "database"


class RoleTooPowerful(NusabusError):
    """The login of a process owns tables, so it could change what is only ever added."""

    code = "database-role"


def content_refused(error: BaseException) -> Invalid:
    """The refusal of a request that holds a value which the database does not take.

    A defect all the same: what cannot be stored is to be refused where it is parsed, by its name.
    """
    report_defect("database.content", error)
    return Invalid(
        "A value of the request cannot be stored. Send text without NUL, and numbers and times "
        "within their usual bounds."
    )


def outage_text(error: BaseException) -> str:
    """What is wrong during an outage, and what to do."""
    return _FULL if isinstance(error, asyncpg.DiskFullError) else _AWAY


@contextmanager
def database_errors(
    away: Callable[[str], Unavailable] = lambda text: DatabaseUnavailable(text),
) -> Iterator[None]:
    """Turn what asyncpg raises in here during an outage into an error, DatabaseUnavailable.

    `away` makes it of a sentence that says what is wrong.

    Raises Invalid for a value that the database does not take.
    """
    try:
        yield
    except CONTENT_ERRORS as error:
        raise content_refused(error) from error
    except OUTAGES as error:
        raise away(outage_text(error)) from error


# The plan of a prepared statement outlives the statistics that it was made with: one that was made
# for an empty table would read all of it for long after it has grown. So a whole table is read only
# where no index serves (tests/integration/test_plans.py). Without bitmaps, entries are read in the
# order of their index, up to a limit. With them a journal that was not analysed yet seemed so small
# that each look read all that was left, to sort it.
SERVER_SETTINGS = {
    "application_name": "nusabus",
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
}


class Database:
    """The connections of a process to PostgreSQL. Open it once, close it at the end."""

    def __init__(self, hosts: DatabaseHosts, engine: AsyncEngine, pool: asyncpg.Pool) -> None:
        self.hosts = hosts
        self.pool = pool
        self._engine = engine
        self._sessions = async_sessionmaker(engine, expire_on_commit=False)

    @classmethod
    async def open(
        cls, url: str, *, connections: int, timeout: float, on_connect: OnConnect | None = None
    ) -> "Database":
        """Connect. `connections` limits the raw pool; `timeout` for connecting is in seconds.

        `on_connect` is called with each new connection; if it raises, the connection is closed.
        """
        hosts = DatabaseHosts(url)

        async def connect(dsn: str | None = None, **options: Any) -> asyncpg.Connection:
            return await hosts.connect(**options)

        pool = asyncpg.create_pool(  # type: ignore[call-overload]  # its stub has other protocols
            url,
            connect=connect,
            min_size=0,
            max_size=connections,
            timeout=timeout,
            server_settings=SERVER_SETTINGS,
            reset=_keep,
            init=on_connect,
        )
        await pool
        engine = make_engine(hosts, timeout=timeout, on_connect=on_connect)
        return cls(hosts, engine, pool)

    async def close(self) -> None:
        """Close every connection, by force if necessary."""
        self.pool.terminate()
        await self._engine.dispose()

    async def require_limited_role(
        self, variable: str = "NUSABUS_DATABASE_URL", role: str = "nusabus_app"
    ) -> None:
        """Raises RoleTooPowerful if the login owns tables, and DatabaseUnavailable.

        `variable` has the login, which should be a member of `role`.
        """
        with database_errors():
            if await self.pool.fetchval(_OWNED_TABLES, timeout=5):
                raise RoleTooPowerful(
                    f"The login in {variable} may change the journal. Use one that is a "
                    f"member of {role} alone, and NUSABUS_MIGRATION_DATABASE_URL to migrate; "
                    "see docs/operations/database.md."
                )

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncSession]:
        """A session for reading; writes without `begin` are rolled back.

        Raises DatabaseUnavailable, and Invalid for a value that the database does not take.
        """
        try:
            async with self._sessions() as session:
                yield session
        except (DBAPIError, PoolTimeout) as error:
            cause = error.driver_exception if isinstance(error, DBAPIError) else None
            if isinstance(cause, CONTENT_ERRORS):
                raise content_refused(cause) from error
            if _is_outage(error):
                raise DatabaseUnavailable(outage_text(cause or error)) from error
            raise
        except OUTAGES as error:
            raise DatabaseUnavailable(outage_text(error)) from error

    @asynccontextmanager
    async def change(self, topic: Topic) -> AsyncIterator[AsyncSession]:
        """A transaction that changes `topic`. Every process sees it after the commit at the end.

        The row lock on the revision serialises changes of one topic, so a check made in here
        still holds at the commit. Raises DatabaseUnavailable.
        """
        async with self.session() as session, session.begin():
            await session.execute(
                text("UPDATE control_revisions SET revision = revision + 1 WHERE topic = :topic"),
                {"topic": topic.value},
            )
            yield session

    @asynccontextmanager
    async def unchanged(self, topic: Topic) -> AsyncIterator[AsyncSession]:
        """A transaction during which nobody changes `topic`. Raises DatabaseUnavailable."""
        async with self.session() as session, session.begin():
            await session.execute(
                text("SELECT FROM control_revisions WHERE topic = :topic FOR UPDATE"),
                {"topic": topic.value},
            )
            yield session

    async def revisions(self) -> dict[Topic, int]:
        """The current revision of every topic. Raises DatabaseUnavailable."""
        with database_errors():
            rows = await self.pool.fetch("SELECT topic, revision FROM control_revisions", timeout=5)
        return {Topic(topic): revision for topic, revision in rows}


def _is_outage(error: DBAPIError | PoolTimeout) -> bool:
    if isinstance(error, OperationalError | InterfaceError | PoolTimeout):
        return True
    return error.connection_invalidated or isinstance(error.driver_exception, OUTAGES)


async def _keep(_: asyncpg.Connection) -> None:
    """Nothing to reset: users of the pool leave a connection as it was."""


def make_engine(
    hosts: DatabaseHosts,
    *,
    timeout: float = 60.0,
    command_timeout: float | None = 30.0,
    server_settings: dict[str, str] | None = None,
    on_connect: OnConnect | None = None,
) -> AsyncEngine:
    """SQLAlchemy's engine for hosts of PostgreSQL. The timeouts are in seconds.

    The driver reads the URL itself, so all of it has its usual meaning: `sslmode`, `sslrootcert`,
    several hosts, `target_session_attrs`.
    """

    async def connect() -> asyncpg.Connection:
        connection = await hosts.connect(
            timeout=timeout, command_timeout=command_timeout, server_settings=server_settings
        )
        if on_connect is not None:
            try:
                await on_connect(connection)
            except BaseException:
                connection.terminate()
                raise
        return connection

    return create_async_engine(
        "postgresql+asyncpg://",
        async_creator=connect,
        pool_size=5,
        max_overflow=5,
        pool_timeout=timeout,
        pool_pre_ping=True,
        hide_parameters=True,
    )
