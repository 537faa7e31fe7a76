"""A COBOL file into RabbitMQ, all the way: the watcher, two api processes, the relay, a queue.

The file is Dukcapil's nightly one in its real layout (EBCDIC, COMP-3, RDW, header and trailer). The
time runs from the watcher's start, as a process of its own, to the confirm of the last message.
"""

import asyncio
import json
import resource
import sys
import time
from datetime import date
from pathlib import Path

import numpy as np

from adapters.client import Administration, Nusabus
from adapters.legacy_cobol.records.encoder import Encoder
from adapters.legacy_cobol.transfer.feed import Feed
from adapters.legacy_cobol.transfer.incoming import submit
from adapters.legacy_cobol.transfer.journal import FileOutcome, Journal
from bench.children import environment, run
from bench.events import ORGANISATION
from bench.failure import BenchFailure
from bench.results import Results, Value
from bench.say import say
from bench.scale import Scale
from bench.servers import Servers
from bench.site import READY, Site
from deploy.local.demo_legacy import PENDUDUK, furnish
from deploy.local.ports import LOOPBACK

DATABASE = "legacy"
NAME = "legacy-bench"


async def transfer(servers: Servers, scale: Scale, results: Results) -> None:
    """Measure `legacy_end_to_end_per_s`. Raises BenchFailure where a record is missing."""
    records = scale.legacy_records
    folder = servers.folder / "legacy-feed"
    feed = furnish(folder, PENDUDUK)
    content = await asyncio.to_thread(nightly_file, feed, records)
    await servers.clone(DATABASE)
    made = await run(
        "-m", "gateway", "bootstrap", "--reset", "--json", own=servers.settings(DATABASE, 0)
    )
    async with Site(servers, DATABASE, (2,)) as site:
        url = f"http://{LOOPBACK}:{site.port(2)}"
        own = {"NUSABUS_URL": url, **await _client(url, **json.loads(made))}
        source = servers.folder / f"PENDUDUK-{date.today():%Y%m%d}-0001.DAT"  # noqa: DTZ011
        source.write_bytes(content)
        submit(feed, source)
        say(f"legacy: {records:,} records, {len(content):,} bytes")
        meter, watched = site.meter(), _spent_by_children()
        seconds = await _feed(site, feed, own, records)
        watcher = 1e6 * (_spent_by_children() - watched) / records
        costs = {"watcher": watcher, **meter.per_event(records)}
    await servers.drop(DATABASE)
    detail = (
        f"{records:,} records of {len(content) / records:.0f} bytes from file to RabbitMQ in "
        f"{seconds:.1f} s, checked before, as one event each; us of CPU per record: "
        + ", ".join(f"{name} {cost:.1f}" for name, cost in costs.items())
    )
    aim = f"{1_000_000 / 120:.0f}"
    value = Value("legacy_end_to_end_per_s", records / seconds, "records/s", detail, aim)
    results.values.append(value)


def _spent_by_children() -> float:
    """CPU seconds of the processes of ours that have ended: the watcher is one of them."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


async def _client(url: str, client_id: str, client_secret: str) -> dict[str, str]:
    """A publisher with a subscription to what it publishes."""
    async with Nusabus(url, client_id, client_secret) as operator:
        admin = Administration(operator)
        id = await admin.provide_client(ORGANISATION, NAME, ["publisher", "subscriber"])
        secret = await admin.add_secret(id)
    async with Nusabus(url, id, secret) as bus:
        await bus.subscribe(NAME, [PENDUDUK])
        deadline = time.monotonic() + READY
        while not (await bus.subscription(NAME)).active:
            if time.monotonic() > deadline:
                raise BenchFailure("the subscription was not active in time")
            await asyncio.sleep(0.1)
    return {"NUSABUS_CLIENT_ID": id, "NUSABUS_CLIENT_SECRET": secret}


async def _feed(site: Site, feed: Feed, own: dict[str, str], records: int) -> float:
    log = feed.folder / "watch.log"
    began = time.monotonic()
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "adapters.cli", "legacy", "watch", "--once", str(feed.folder),
            env=environment(own), stdout=output, stderr=output,
        )  # fmt: skip
        await process.wait()
    _require_all(feed, log, records)
    return await site.settled() - began


def _require_all(feed: Feed, log: Path, records: int) -> None:
    journal = Journal(feed.folder)
    files = journal.files()
    journal.close()
    good = files and files[0].outcome is FileOutcome.ACCEPTED and files[0].published == records
    if not good:
        raise BenchFailure(f"not every record got through: {files}\n{log.read_text()[-2000:]}")


def nightly_file(feed: Feed, records: int) -> bytes:
    """A valid file of so many records, each with a number of its own."""
    types = [each.type for each in feed.layout.records]
    encoder = Encoder(types, feed.layout.encoding)
    day = f"{date.today():%Y%m%d}"  # noqa: DTZ011
    nik = 3273014105900001
    resident = {
        "jenis_rekaman": "D", "nomor_register": "REG-0000000000", "nik": str(nik),
        "nama": "SITI NURHALIZA", "tanggal_lahir": "19900501", "jenis_kelamin": "P",
        "kode_wilayah": "327301", "jenis_mutasi": "DT", "retribusi": 25_000,
        "jumlah_dokumen": 0, "dokumen": [],
    }  # fmt: skip
    header = {
        "jenis_rekaman": "H", "tanggal_berkas": day, "nomor_berkas": 1, "pengirim": "SIAK-PUSAT",
    }  # fmt: skip
    trailer = {
        "jenis_rekaman": "T", "jumlah_rekaman": records, "jumlah_retribusi": 25_000 * records,
        "jumlah_nik": nik * records % 10**10,
    }  # fmt: skip
    encoded = encoder.encode([header, resident, trailer], ["header", "penduduk", "trailer"])
    first, one, last = (_described(each or b"") for each in encoded.records)
    rows = np.tile(np.frombuffer(one, np.uint8), (records, 1))
    numbers = np.arange(1, records + 1)
    for digit in range(10):  # of the register's number, behind the descriptor, D and REG-
        rows[:, 4 + 1 + 4 + 9 - digit] = 0xF0 + numbers // 10**digit % 10
    return first + rows.tobytes() + last


def _described(record: bytes) -> bytes:
    return (len(record) + 4).to_bytes(2, "big") + b"\0\0" + record
