"""The inbox: a table of handled events, written in the transaction of the handler.

The bus delivers at least once. The changes of the handler and the row of the inbox commit
together, so an event that is delivered again changes nothing.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import asyncpg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

from consumers.events import Event

_TABLE = """
CREATE TABLE IF NOT EXISTS inbox (
    consumer text NOT NULL,
    source text NOT NULL,
    id text NOT NULL,
    handled timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (consumer, source, id)
)
"""
_INDEX = "CREATE INDEX IF NOT EXISTS inbox_handled ON inbox (consumer, handled)"
_NOTE = """
INSERT INTO inbox (consumer, source, id) VALUES (:consumer, :source, :id)
ON CONFLICT DO NOTHING RETURNING id
"""
_FORGET = """
DELETE FROM inbox
WHERE consumer = :consumer AND handled < clock_timestamp() - CAST(:age AS interval)
"""
_LOCK = 7_301_923  # advisory lock: one process creates the table


class Inbox:
    """The inbox of one consumer, in the database that its handlers write to."""

    def __init__(self, engine: AsyncEngine, consumer: str) -> None:
        self._engine = engine
        self._consumer = consumer

    @classmethod
    async def open(cls, url: str, consumer: str, *, connections: int = 10) -> "Inbox":
        """Connect (`postgresql://...`), and create the table if it is missing."""

        async def connect() -> asyncpg.Connection:
            # The driver reads the URL itself, so `sslmode` or several hosts mean what they do.
            return await asyncpg.connect(url, timeout=5, command_timeout=30)

        engine = create_async_engine(
            "postgresql+asyncpg://",
            async_creator=connect,
            pool_size=connections,
            max_overflow=0,
            pool_pre_ping=True,
            hide_parameters=True,
        )
        async with engine.begin() as connection:
            await connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
            await connection.execute(text(_TABLE))
            await connection.execute(text(_INDEX))
        return cls(engine, consumer)

    @asynccontextmanager
    async def once(self, event: Event) -> AsyncIterator[AsyncSession | None]:
        """A transaction in which to handle the event, or None if it was handled before.

        Commits at the end, and rolls back on an exception. If two consumers handle an event at
        once, one waits for the other.
        """
        async with AsyncSession(self._engine) as session, session.begin():
            source, id_ = event.identity
            noted = await session.execute(
                text(_NOTE), {"consumer": self._consumer, "source": source, "id": id_}
            )
            yield None if noted.first() is None else session

    async def forget(self, age: timedelta) -> int:
        """Delete the rows of events handled longer ago. Returns how many.

        An event that old must not be delivered again: it would be handled again.
        """
        async with AsyncSession(self._engine) as session, session.begin():
            deleted = await session.execute(text(_FORGET), {"consumer": self._consumer, "age": age})
            return int(deleted.rowcount)  # type: ignore[attr-defined]  # a cursor result of a DELETE

    async def close(self) -> None:
        """Close the connections."""
        await self._engine.dispose()
