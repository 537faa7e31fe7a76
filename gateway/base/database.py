"""Access to PostgreSQL: sessions for the control plane, a raw pool for the journal.

The control plane is small and read from memory: whoever changes it bumps a *revision* in the same
transaction, every process polls the revisions a few times a second and reloads what moved. A
process so sees a change whole or not at all, and no message has to arrive for it.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from enum import StrEnum
from urllib.parse import urlsplit, urlunsplit

import asyncpg
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)

from gateway.base.errors import Unavailable

# What asyncpg and the sockets below it raise when the server is away, starting or cut off, and when
# it has rolled back what may be repeated (a deadlock, a lock that is held too long).
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

_AWAY = "The database does not answer. Try again."


class Topic(StrEnum):
    """A part of the control plane that changes as a whole."""

    IDENTITY = "identity"
    CONTRACTS = "contracts"
    SUBSCRIPTIONS = "subscriptions"


class DatabaseUnavailable(Unavailable):
    """PostgreSQL does not answer. Nothing was changed unless a repeat shows otherwise."""

    code = "database-unavailable"
    dependency = "database"


@contextmanager
def database_errors() -> Iterator[None]:
    """What asyncpg raises in here while the server is away becomes DatabaseUnavailable."""
    try:
        yield
    except OUTAGES as error:
        raise DatabaseUnavailable(_AWAY) from error


class Database:
    """One process's connections to PostgreSQL. Open it once, close it at the end."""

    def __init__(self, engine: AsyncEngine, pool: asyncpg.Pool) -> None:
        self.pool = pool
        self._engine = engine
        self._sessions = async_sessionmaker(engine, expire_on_commit=False)

    @classmethod
    async def open(cls, url: str, *, connections: int, timeout: float) -> "Database":
        """Connect. `connections` bounds the raw pool; `timeout` is for connecting, in seconds."""
        pool = asyncpg.create_pool(
            url,
            min_size=0,
            max_size=connections,
            timeout=timeout,
            server_settings={"application_name": "nusabus"},
            reset=_keep,
        )
        await pool
        engine = create_async_engine(
            sqlalchemy_url(url),
            pool_size=5,
            max_overflow=5,
            pool_timeout=timeout,
            pool_pre_ping=True,
            hide_parameters=True,
            connect_args={"timeout": timeout, "command_timeout": 30},
        )
        return cls(engine, pool)

    async def close(self) -> None:
        """Close every connection, by force where one does not end by itself in time."""
        self.pool.terminate()
        await self._engine.dispose()

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncSession]:
        """A session for reading; what it wrote without `begin` is rolled back.

        Raises DatabaseUnavailable when the server is away.
        """
        try:
            async with self._sessions() as session:
                yield session
        except (OperationalError, InterfaceError, PoolTimeout) as error:
            raise DatabaseUnavailable(_AWAY) from error
        except DBAPIError as error:
            if error.connection_invalidated or isinstance(error.driver_exception, OUTAGES):
                raise DatabaseUnavailable(_AWAY) from error
            raise
        except OUTAGES as error:
            raise DatabaseUnavailable(_AWAY) from error

    @asynccontextmanager
    async def change(self, topic: Topic) -> AsyncIterator[AsyncSession]:
        """A transaction that changes `topic`: committed at the end, then seen by every process.

        Changes of one topic are serialised by the row lock on its revision, so a check made in
        here still holds at the commit.
        """
        async with self.session() as session, session.begin():
            await session.execute(
                text("UPDATE control_revisions SET revision = revision + 1 WHERE topic = :topic"),
                {"topic": topic.value},
            )
            yield session

    async def revisions(self) -> dict[Topic, int]:
        """The present revision of every topic. Raises DatabaseUnavailable."""
        with database_errors():
            rows = await self.pool.fetch("SELECT topic, revision FROM control_revisions", timeout=5)
        return {Topic(topic): revision for topic, revision in rows}


async def _keep(_: asyncpg.Connection) -> None:
    """Nothing to reset: whoever uses the pool leaves a connection as it was."""


def sqlalchemy_url(url: str, driver: str = "asyncpg") -> str:
    """The same address in SQLAlchemy's spelling."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(scheme=f"postgresql+{driver}"))
