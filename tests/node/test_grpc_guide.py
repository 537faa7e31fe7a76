"""The guide to gRPC does what it says: with the client library, and with npm's client for Node."""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bus import Bus, MakeBus
from tests.grpc_calls import GrpcProcess
from tests.guides import ROOT, bus_of, follow

pytestmark = pytest.mark.skipif(not shutil.which("bash"), reason="bash is needed")


@pytest.fixture
def process(make_bus: MakeBus, tmp_path: Path) -> Iterator[GrpcProcess]:
    """A bus with a contract of the demo."""
    with bus_of("kemendikbud", make_bus, tmp_path, "api", "relay") as bus:
        yield GrpcProcess(bus)


def credentials(bus: Bus) -> dict[str, str]:
    client = bus.actor("kemendikbud")
    return {"NUSABUS_CLIENT_ID": client.id, "NUSABUS_CLIENT_SECRET": client.secret}


def test_the_guide(process: GrpcProcess, tools: Path, tmp_path: Path) -> None:
    programs = (tmp_path / "bin", Path(sys.executable).parent, os.environ["PATH"])
    commands = follow(
        ROOT / "docs/grpc.md",
        process.bus,
        tmp_path,
        **credentials(process.bus),
        NUSABUS_GRPC=process.address,
        NODE_PATH=str(tools / "node_modules"),
        PROTO=str(ROOT / "gateway/grpc/proto"),
        PATH=":".join(map(str, programs)),
    )
    assert commands == 10
