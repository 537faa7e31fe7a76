"""What ended a transaction: the event that was handled, or an outage of the database."""

import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg

OUTAGES: tuple[type[BaseException], ...] = (
    OSError,  # TimeoutError among them
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # the connection ended between two steps of its protocol
    asyncpg.PostgresConnectionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.PostgresSystemError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
)
"""What to wait out: trying again may help, whatever the event is."""

_AWAY = tuple(each for each in OUTAGES if issubclass(each, asyncpg.PostgresError))


class EventFailed(Exception):
    """An event cannot be applied. `reason` says which error and where, and nothing of the data."""

    def __init__(self, error: BaseException) -> None:
        frames = traceback.extract_tb(error.__traceback__)
        # The innermost frame outside of libraries: the line of the service.
        own = [each for each in frames if _is_source(each.filename)] or frames
        place = f" at {Path(own[-1].filename).name}:{own[-1].lineno}" if own else ""
        state = getattr(error, "sqlstate", None)
        self.reason = f"{type(error).__name__}{f' ({state})' if state else ''}{place}"
        super().__init__(self.reason)


def _is_source(file: str) -> bool:
    return file.endswith(".py") and "site-packages" not in file


def is_outage(error: BaseException, connection: asyncpg.Connection) -> bool:
    """Whether trying again later may help, whatever the event is."""
    return connection.is_closed() or isinstance(error, _AWAY)


async def has_ended(connection: asyncpg.Connection) -> bool:
    """Whether the connection is of no use any more, whatever a handler has raised of that."""
    try:
        await connection.execute("SELECT 1")
    except asyncpg.PostgresError as error:  # in a transaction that failed
        return is_outage(error, connection)
    except Exception:  # there is no list of what a broken connection raises
        return True
    return False


@asynccontextmanager
async def failing_events(connection: asyncpg.Connection) -> AsyncIterator[None]:
    """Raise EventFailed for an error of PostgreSQL that is no outage: a constraint at COMMIT."""
    try:
        yield
    except asyncpg.PostgresError as error:
        if is_outage(error, connection):
            raise
        raise EventFailed(error) from error
