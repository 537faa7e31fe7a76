"""How an absent broker is told."""

import asyncio

import pytest
from aiormq.exceptions import AMQPConnectionError, ChannelInvalidStateError, InvalidFrameError

from gateway.base.errors import BrokerUnavailable, Invalid
from gateway.broker.errors import within


@pytest.mark.parametrize(
    "error",
    [
        ConnectionRefusedError(111, "refused"),
        AMQPConnectionError("closed"),
        ChannelInvalidStateError("closed"),
        EOFError(),
        TimeoutError(),
        asyncio.CancelledError(),  # by the library: nobody has cancelled this task
    ],
    ids=repr,
)
async def test_an_outage_is_one_error(error: BaseException) -> None:
    with pytest.raises(BrokerUnavailable, match="binding failed"):
        async with within(5, "binding"):
            raise error


async def test_a_refused_virtual_host_is_told() -> None:
    error = InvalidFrameError("Expected one of ['Connection.OpenOk'], got <Connection.Close>")
    with pytest.raises(BrokerUnavailable, match="NUSABUS_AMQP_URL"):
        async with within(5, "connecting"):
            raise error


async def test_time_is_bounded() -> None:
    with pytest.raises(BrokerUnavailable, match=r"binding failed: .* within 0\.01 s"):
        async with within(0.01, "binding"):
            await asyncio.Event().wait()


async def test_what_is_no_outage_passes_through() -> None:
    with pytest.raises(Invalid):
        async with within(5, "binding"):
            raise Invalid("ours")


async def test_who_is_cancelled_stays_cancelled() -> None:
    async def work() -> None:
        async with within(5, "binding"):
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
