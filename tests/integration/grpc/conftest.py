"""A grpc process beside the shared bus."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.bus import Bus
from tests.grpc_calls import Door, GrpcProcess


@pytest.fixture(scope="package")
def grpc_process(shared_bus: Bus) -> Iterator[GrpcProcess]:
    """A grpc process that no test ends."""
    process = GrpcProcess(shared_bus)
    yield process
    process.stop()


@pytest.fixture
async def door(bus: Bus, grpc_process: GrpcProcess) -> AsyncIterator[Door]:
    """The client "uji" at this process."""
    door = Door(grpc_process.port, bus.actor("uji"))
    yield door
    await door.channel.close()
