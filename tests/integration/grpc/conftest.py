"""A grpc process beside the shared bus."""

from collections.abc import AsyncIterator, Iterator

import pytest

from deploy.local.ports import free_port
from tests.bus import Bus
from tests.grpc_calls import Door
from tests.waiting import eventually


@pytest.fixture(scope="module")
def grpc_port(bus: Bus) -> Iterator[int]:
    """The port of a grpc process of the module's own."""
    port = free_port()
    process = bus.start("grpc", NUSABUS_GRPC_PORT=str(port))
    eventually(lambda: process.listens_on(port))
    yield port
    process.stop()
    bus.processes.remove(process)


@pytest.fixture
async def door(bus: Bus, grpc_port: int) -> AsyncIterator[Door]:
    """The client "uji" at this process."""
    door = Door(grpc_port, bus.actor("uji"))
    yield door
    await door.channel.close()
