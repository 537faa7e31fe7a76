"""How much memory a watcher takes for a file of so many megabytes, in a process of its own.

`python -m tests.legacy_transfer.memory FOLDER MEGABYTES` writes the file, works it against a
gateway that answers and keeps nothing, and prints what was found as JSON.
"""

import asyncio
import json
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

from adapters.client import Nusabus
from adapters.legacy_cobol.transfer.feed import Feed, read_feed
from adapters.legacy_cobol.transfer.folders import IN_FOLDERS, INCOMING, create_folders
from adapters.legacy_cobol.transfer.sender import ONCE, Sender
from adapters.legacy_cobol.transfer.watcher import watch
from tests.legacy_feeds import a_record

LENGTH = 1000  # bytes of a record
EVERY_BAD = 10_007  # one record of so many is rejected
PIECE = 5000  # records written at once
AMOUNT = 12_50  # of each record
COPYBOOK = """
01 KEPALA.
   05 JENIS PIC X.
   05 FILLER PIC X(999).
01 ISI.
   05 JENIS PIC X.
   05 NOMOR PIC 9(12).
   05 JUMLAH PIC S9(9)V99 SIGN LEADING SEPARATE.
   05 URAIAN PIC X(125) OCCURS 7 TIMES.
   05 FILLER PIC X(100).
01 EKOR.
   05 JENIS PIC X.
   05 BANYAK PIC 9(12).
   05 TOTAL PIC S9(16)V99 SIGN LEADING SEPARATE.
   05 FILLER PIC X(968).
"""
LAYOUT = f"""
copybook = "lebar.cpy"
form = "free"
encoding = {{ code_page = "ascii", zoned_signs = "ascii-letters" }}
framing = {{ kind = "fixed" }}
{a_record("kepala", "KEPALA", "H", "control", "JENIS")}
{a_record("isi", "ISI", "D", "event", "JENIS")}
{a_record("ekor", "EKOR", "T", "control", "JENIS")}
"""
FEED = """
name = "lebar"
[[events]]
type = "id.go.uji.lebar.dicatat.v1"
source = "/uji/lebar"
subject = "{nomor}"
[[control]]
record = "kepala"
place = "begin"
[[control]]
record = "ekor"
[control.fields]
banyak = { of = "count" }
total = { of = "sum", member = "jumlah" }
"""


class Forgetful(httpx.AsyncBaseTransport):
    """Accepts every event, and keeps how many there were."""

    def __init__(self) -> None:
        self.events = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/oauth/token":
            return httpx.Response(200, json={"access_token": "t", "expires_in": 3600})
        count = (await request.aread()).count(b'"specversion"')
        self.events += count
        results = b",".join([b'{"status":202,"receipt":{"duplicate":false}}'] * count)
        return httpx.Response(207, content=b'{"results":[%b]}' % results)


def a_wide_feed(folder: Path) -> Feed:
    """A feed of records of 1,000 bytes with a header and a trailer."""
    create_folders(folder, IN_FOLDERS)
    for name, text in (("lebar.cpy", COPYBOOK), ("layout.toml", LAYOUT), ("feed.toml", FEED)):
        (folder / name).write_text(text)
    return read_feed(folder)


def pieces(records: int) -> Iterator[bytes]:
    """The file of so many records, piece by piece."""
    yield b"H".ljust(LENGTH)
    rest = b"+%011d" % AMOUNT + b"".join(b"baris %d" % at + b" " * 118 for at in range(7))
    rest = rest.ljust(LENGTH - 13)
    for first in range(1, records + 1, PIECE):
        numbers = range(first, min(first + PIECE, records + 1))
        yield b"".join(b"D%b%b" % (_number(each), rest) for each in numbers)
    yield (b"T%012d+%018d" % (records, records * AMOUNT)).ljust(LENGTH)


def _number(number: int) -> bytes:
    return b"%012d" % number if number % EVERY_BAD else b"%011d?" % (number // 10)


def measure(folder: Path, megabytes: int) -> dict[str, float]:
    """Work a file of that size; what became of it, and the most memory that was taken."""
    feed, gateway = a_wide_feed(folder), Forgetful()
    fresh = folder / INCOMING / ".BESAR.DAT"
    with fresh.open("wb") as file:
        file.writelines(pieces(megabytes * 1_000_000 // LENGTH))
    fresh.rename(folder / INCOMING / "BESAR.DAT")
    before, began = _peak(), time.monotonic()
    bus = Nusabus("http://bus", "id", "secret", transport=gateway, retry=ONCE)
    (taken,) = asyncio.run(watch(feed, Sender(bus), asyncio.Event(), once=True))
    return {
        "records": taken.records, "published": taken.published, "rejected": taken.rejected,
        "events": gateway.events, "peak_before": before, "peak": _peak(),
        "seconds": time.monotonic() - began,
    }  # fmt: skip


def _peak() -> int:
    """Bytes of memory that this process has held at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    sys.stdout.write(f"{json.dumps(measure(Path(sys.argv[1]), int(sys.argv[2])))}\n")
