"""Turns everything that aiormq and aio-pika raise for an absent broker into one error."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from aiormq.exceptions import AMQPError
from pamqp.exceptions import PAMQPException

from gateway.base.errors import BrokerUnavailable

OUTAGES: tuple[type[BaseException], ...] = (
    OSError,
    EOFError,
    TimeoutError,
    AMQPError,
    PAMQPException,
    RuntimeError,  # aiormq's "closed" and "invalid state"
    StopAsyncIteration,  # aiormq's, for a connection that ends while it is being opened
)


@contextmanager
def broker_errors(doing: str) -> Iterator[None]:
    """Raise BrokerUnavailable for what the libraries raise in here; our own errors pass through.

    `doing` is the subject of the sentence "... failed".
    """
    try:
        yield
    except OUTAGES as error:
        raise BrokerUnavailable(f"{doing} failed: {describe(error)}") from error
    except asyncio.CancelledError as error:
        # aiormq cancels the tasks that wait on a connection that dies; nobody cancelled this one.
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise BrokerUnavailable(f"{doing} failed: the connection was closed") from error


@asynccontextmanager
async def within(seconds: float, doing: str) -> AsyncIterator[None]:
    """Like `broker_errors`, and raise BrokerUnavailable after so many seconds as well."""
    with broker_errors(doing):
        try:
            async with asyncio.timeout(seconds):
                yield
        except TimeoutError:
            raise BrokerUnavailable(
                f"{doing} failed: RabbitMQ did not answer within {seconds:g} s"
            ) from None


def describe(error: BaseException) -> str:
    """The error in one line; the name of its class if it has no text."""
    if isinstance(error, AMQPError) and "Connection.OpenOk" in str(error):
        return "RabbitMQ does not let this user into the virtual host. Check NUSABUS_AMQP_URL."
    return str(error) or type(error).__name__
