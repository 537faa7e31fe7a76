"""Calls that clients give up leave nothing in the memory of the grpc process (grpc/grpc #43360)."""

import asyncio
from collections.abc import Iterator

import psutil
import pytest

from bench.cancelled import give_up_calls
from tests.bus import Bus
from tests.grpc_calls import GrpcProcess, a_message

WARM, CALLS = 2_000, 4_000
MOST = 1_000  # bytes that a call may leave on the average; gRPC alone leaves 300 to 450, measured
NOISE = 4 << 20  # bytes by which the memory of a Python process moves in any case


@pytest.fixture
def process(bus: Bus) -> Iterator[GrpcProcess]:
    process = GrpcProcess(bus)
    yield process
    process.stop()


@pytest.mark.timeout(300)
async def test_calls_that_are_given_up_leave_nothing_in_memory(process: GrpcProcess) -> None:
    watched = psutil.Process(process.pid)
    sizes = []
    for calls in (WARM, CALLS):
        headers = await asyncio.to_thread(lambda: process.bus.actor("uji").headers)
        token = headers["authorization"].removeprefix("Bearer ")
        await give_up_calls(process.address, token, calls, lambda _: a_message())
        sizes.append(watched.memory_info().rss)
    assert sizes[1] - sizes[0] <= NOISE + CALLS * MOST
