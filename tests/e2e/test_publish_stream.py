"""`nusabus publish --stream`: a file over gRPC, cut off and gone on with."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.cli import stream_file
from adapters.cli.exits import Exit
from adapters.client import Nusabus
from adapters.client.grpc_publishing import StreamPublisher
from tests.builders import CITIZEN, FREE, a_citizen, a_document
from tests.bus import Actor, Bus
from tests.e2e.conftest import Command
from tests.grpc_calls import GrpcProcess
from tests.waiting import eventually

EVENTS = 20_000


@pytest.fixture(scope="module")
def process(bus: Bus) -> Iterator[GrpcProcess]:
    process = GrpcProcess(bus)
    yield process
    process.stop()


@pytest.fixture
def address(process: GrpcProcess) -> str:
    return process.address


def stored(bus: Bus, source: str) -> tuple[int, int]:
    """How many events of a source are in the journal, and how many ids they have."""
    statement = "SELECT count(*), count(DISTINCT id) FROM journal_entries WHERE source = $1"
    found: tuple[int, int] = tuple(bus.query(statement, source)[0])
    return found


def until_stored(bus: Bus, source: str, count: int) -> None:
    """Until at least so many are."""
    eventually(lambda: stored(bus, source)[0] >= count)


def test_a_file_is_gone_on_with_after_each_kill(
    bus: Bus, uji: Actor, nusabus: Command, address: str, tmp_path: Path
) -> None:
    file, source = tmp_path / "data.ndjson", "/uji/berkas"
    file.write_text("".join(f'{{"n": {number}}}\n' for number in range(EVENTS)))
    command = ("publish", FREE, "--source", source, "--stream", str(file), "--grpc", address)
    for wanted in (EVENTS // 4, EVENTS // 2):
        running = subprocess.Popen(
            [sys.executable, "-m", "adapters.cli", *command], env=os.environ, stdout=subprocess.PIPE
        )
        until_stored(bus, source, wanted)
        running.kill()
        running.communicate()
    before = stored(bus, source)
    assert before[0] < EVENTS, "it was killed too late"
    code, out, err = nusabus(*command, "--json")
    assert code == Exit.OK, err
    summary = json.loads(out)
    assert summary["stored"] <= EVENTS - before[0] + stream_file.EVENTS
    assert stored(bus, source) == (EVENTS, EVENTS)
    assert json.loads(nusabus(*command, "--json")[1])["stored"] == 0


def test_what_is_refused_is_shown_with_its_line(
    nusabus: Command, address: str, tmp_path: Path
) -> None:
    file = tmp_path / "events.ndjson"
    events = [a_document(), a_document(type=CITIZEN, data=a_citizen(nik="1")), a_document()]
    file.write_text("\n\n".join(map(json.dumps, events)))
    code, out, _ = nusabus("publish", "--stream", str(file), "--grpc", address)
    assert code == Exit.ERROR
    assert "refused line 3: " in out
    assert "/nik" in out
    assert "2 stored, 1 refused" in out
    file.write_text(file.read_text() + "\n[1]\n")
    code, _, err = nusabus("publish", "--stream", str(file), "--grpc", address)
    assert (code, "not a CloudEvent" in err) == (Exit.ERROR, True)


def test_an_interrupt_says_how_to_go_on(
    bus: Bus, uji: Actor, nusabus: Command, address: str, tmp_path: Path
) -> None:
    file, source = tmp_path / "long.ndjson", "/uji/panjang"
    file.write_text("".join(f'{{"n": {number}}}\n' for number in range(5 * EVENTS)))
    command = ("publish", FREE, "--source", source, "--stream", str(file), "--grpc", address)
    running = subprocess.Popen(
        [sys.executable, "-m", "adapters.cli", *command], env=os.environ, stderr=subprocess.PIPE
    )
    until_stored(bus, source, 1)
    running.send_signal(signal.SIGINT)
    assert b"goes on where this one ended" in running.communicate()[1]
    assert running.returncode == Exit.ERROR


async def test_the_library_goes_on_by_itself(bus: Bus, uji: Actor, process: GrpcProcess) -> None:
    chunks, answers = [[a_document() for _ in range(10)] for _ in range(6)], []
    async with Nusabus(str(bus.http.base_url), uji.id, uji.secret) as client:
        publisher = StreamPublisher(process.address, client.access_token, tls=False)
        async for each in publisher.publish(lambda after: chunks[after:]):
            answers.append(each)
            if each.number == 2:
                process.kill()
                await asyncio.to_thread(process.start)
    numbers = [each.number for each in answers]
    assert numbers == sorted(set(numbers))
    assert {1, 2, 6} <= set(numbers) <= {1, 2, 3, 4, 5, 6}
    assert all(len(each.positions) == 10 and not each.refused for each in answers)
    ids = [event["id"] for chunk in chunks for event in chunk]
    statement = "SELECT count(*) FROM journal_entries WHERE id = ANY ($1)"
    assert (await asyncio.to_thread(bus.query, statement, ids))[0][0] == 60
