"""What an absent broker looks like to the libraries, told as one error."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

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


@asynccontextmanager
async def within(seconds: float, doing: str) -> AsyncIterator[None]:
    """Bound what is done in here. Raises BrokerUnavailable where the broker does not answer.

    `doing` completes the sentence "... failed". Errors of ours pass through.
    """
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise BrokerUnavailable(
            f"{doing} failed: RabbitMQ did not answer within {seconds:g} s"
        ) from None
    except OUTAGES as error:
        raise BrokerUnavailable(f"{doing} failed: {describe(error)}") from error
    except asyncio.CancelledError as error:
        # aiormq cancels those who wait on a connection that dies; nobody cancelled this task.
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise BrokerUnavailable(f"{doing} failed: the connection was closed") from error


def describe(error: BaseException) -> str:
    """One line for a person; the name of the class where the error has no text."""
    if isinstance(error, AMQPError) and "Connection.OpenOk" in str(error):
        return "RabbitMQ does not let this user into the virtual host: look at NUSABUS_AMQP_URL"
    return str(error) or type(error).__name__
