"""How many bytes an event takes in PostgreSQL, and in its log.

Events are appended by the statement of the gateway, in batches, to a journal of their own.
"""

import asyncio
import json
import re
import subprocess
from collections.abc import Mapping

import asyncpg

from bench.events import event, fresh_prefix
from bench.failure import BenchFailure
from bench.results import Results, Value
from bench.say import say
from bench.scale import Scale
from bench.servers import Servers
from deploy.local.postgres import programs
from gateway.base.event import Event
from gateway.journal import Candidate, Incarnation
from gateway.journal.append import append_once

DATABASE = "weights"
SHARDS = 4  # the default of the gateway
BYTES = 494  # of the JSON of an event: what earlier figures were measured with
PIECE = 100_000  # events whose log is read at once, before PostgreSQL recycles it
_SIZES = """
SELECT CASE WHEN relname ~ '^journal_entries' THEN 'entries' ELSE 'identities' END
       || CASE relkind WHEN 'i' THEN ' index' ELSE '' END AS what,
       sum(pg_relation_size(oid))::bigint
FROM pg_class WHERE relkind IN ('r', 'i') AND relname ~ '^journal_(entries|identities)'
GROUP BY 1 ORDER BY 1
"""
_TOTAL = re.compile(r"^Total\s+\d+\s+(\d+) \[.*?\]\s+(\d+) \[", re.MULTILINE)


async def weigh(servers: Servers, scale: Scale, results: Results) -> None:
    """Measure the part `bytes`."""
    await servers.clone(DATABASE)
    connection = await servers.connect(DATABASE)
    try:
        await Incarnation().enter(connection)
        prefix, records, images = fresh_prefix(), 0, 0
        for first in range(0, scale.weighed_events, PIECE):
            start = await _position(connection)
            for number in range(first, min(first + PIECE, scale.weighed_events), scale.batch):
                batch = [_candidate(prefix, number + each) for each in range(scale.batch)]
                await append_once(connection, batch, SHARDS)
            own, whole_pages = await _log(servers, start, await _position(connection))
            records, images = records + own, images + whole_pages
            say(f"{min(first + PIECE, scale.weighed_events):,} events appended")
        sizes = {what: size for what, size in await connection.fetch(_SIZES)}
    finally:
        await connection.close()
        await servers.drop(DATABASE)
    results.values += _values(scale.weighed_events, sizes, records, images)


def _candidate(prefix: bytes, number: int) -> Candidate:
    """The bench's event, with a remark in its data that makes it as long as `BYTES`."""
    text = event(prefix, number)
    remark = b',"catatan":"%b"' % (b"x" * (BYTES - len(text) - len(b',"catatan":""')))
    read = json.loads(text)
    data = text[text.index(b'"data":') + len(b'"data":') : -2] + remark + b"}"
    attributes = {name: read[name] for name in ("time", "datacontenttype")}
    made = Event(read["id"], read["source"], read["type"], read["subject"], attributes, data)
    return Candidate(made, "bench-publisher", "dukcapil", 1)


async def _position(connection: asyncpg.Connection) -> str:
    return str(await connection.fetchval("SELECT pg_current_wal_insert_lsn()::text"))


async def _log(servers: Servers, start: str, end: str) -> tuple[int, int]:
    """Bytes of the records between two positions, and of the images of whole pages in them."""
    await servers.administer("SELECT pg_switch_wal()")  # else the end is not on the disk yet
    done = await asyncio.to_thread(
        subprocess.run,
        (programs() / "pg_waldump", "--stats", "-p", servers.postgres.data / "pg_wal",
         "-s", start, "-e", end),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    found = _TOTAL.search(done.stdout)
    if found is None:
        raise BenchFailure(f"pg_waldump: {done.stderr.strip()}")
    return int(found[1]), int(found[2])


def _values(events: int, sizes: Mapping[str, int], records: int, images: int) -> list[Value]:
    parts = ", ".join(f"{what} {size / events:.0f}" for what, size in sizes.items())
    return [
        Value(
            "bytes_per_event",
            sum(sizes.values()) / events,
            "bytes",
            f"{events:,} events of {BYTES} bytes of JSON: {parts}",
            "550",
        ),
        Value(
            "log_per_event",
            records / events,
            "bytes",
            f"without images of whole pages; these: {images / events:.0f} more",
            "750",
        ),
    ]
