"""Feeds for tests: a payment file with header and trailer, and fakes of the gateway.

`tests/contract/test_gateway_for_feeds.py` proves the fakes.
"""

import asyncio
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import httpx

from adapters.client import CallRetryPolicy, Nusabus
from adapters.legacy_cobol.transfer.feed import Feed, read_feed
from adapters.legacy_cobol.transfer.folders import IN_FOLDERS, INCOMING, create_folders
from adapters.legacy_cobol.transfer.sender import Sender

REUSED = {
    "type": "https://nusabus.go.id/problems/identifier-reused",
    "title": "Identifier reused",
    "status": 409,
}
TYPE = "id.go.uji.bebas.dicatat.v1"
COPYBOOK = """
01 HEAD-REC.
   05 REC-TYPE PIC X.
   05 FILE-DATE PIC 9(8).
   05 SERIAL-NO PIC 9(4).
   05 FILLER PIC X(20).
01 PAY-REC.
   05 REC-TYPE PIC X.
   05 TAXPAYER PIC X(8).
   05 AMOUNT PIC S9(9)V99 SIGN LEADING SEPARATE.
   05 SERIAL-IN-FILE PIC 9(8).
   05 FILLER PIC X(4).
01 TAIL-REC.
   05 REC-TYPE PIC X.
   05 RECORD-COUNT PIC 9(8).
   05 AMOUNT-TOTAL PIC S9(11)V99 SIGN LEADING SEPARATE.
   05 HASH-TOTAL PIC 9(6).
   05 FILLER PIC X(4).
"""


def a_record(
    name: str, record: str, kind: str, role: str = "event", field: str = "REC-TYPE"
) -> str:
    """A record type of a layout, told by a letter in one of its fields."""
    return f"""
[[records]]
name = "{name}"
record = "{record}"
role = "{role}"
when = [{{ field = "{field}", values = ["{kind}"] }}]
"""


LAYOUT = (
    """
copybook = "pay.cpy"
form = "free"
[encoding]
code_page = "ascii"
zoned_signs = "ascii-letters"
[framing]
kind = "fixed"
"""
    + a_record("head", "HEAD-REC", "H", "control")
    + a_record("pay", "PAY-REC", "D")
    + a_record("tail", "TAIL-REC", "T", "control")
)
FEED = f"""
name = "payments"
[[events]]
type = "{TYPE}"
source = "/uji/pembayaran"
subject = "WP-{{taxpayer}}"
[[control]]
record = "head"
place = "begin"
[control.fields]
file_date = {{ of = "date" }}
serial_no = {{ of = "serial" }}
[[control]]
record = "tail"
[control.fields]
record_count = {{ of = "count" }}
amount_total = {{ of = "sum", member = "amount" }}
hash_total = {{ of = "sum", member = "serial_in_file", modulo = 1000000 }}
"""


def a_feed(folder: Path, *more: str, feed: str = FEED, layout: str = LAYOUT) -> Feed:
    """The feed of these texts; lines of `more` stand at the top of feed.toml."""
    create_folders(folder, IN_FOLDERS)
    (folder / "pay.cpy").write_text(COPYBOOK)
    (folder / "layout.toml").write_text(layout)
    (folder / "feed.toml").write_text("\n".join(more) + feed)
    return read_feed(folder)


def a_payment(number: int, amount: int = 1250, who: str = "") -> bytes:
    """A good record; the amount is in hundredths."""
    return f"D{who or f'W{number:07}':8}{amount:+012}{number:08}    ".encode()


def a_file(
    records: Sequence[bytes], *, date: str = "20261122", serial: int = 1, total: int | None = None,
    count: int | None = None,
) -> bytes:  # fmt: skip
    """A file of these records with a header and a trailer, which are right if nothing is said."""
    found = sum(int(each[9:21]) for each in records) if total is None else total
    hashed = sum(int(each[21:29]) for each in records) % 1_000_000
    head = f"H{date}{serial:04}{'':20}"
    tail = f"T{len(records) if count is None else count:08}{found:+014}{hashed:06}    "
    return head.encode() + b"".join(records) + tail.encode()


def payments(count: int, first: int = 1) -> list[bytes]:
    """So many good records."""
    return [a_payment(number) for number in range(first, first + count)]


def submit(feed: Feed, content: bytes, name: str = "PAY.DAT") -> Path:
    """Put a file into incoming/ as a sender does that renames."""
    target = feed.folder / INCOMING / name
    fresh = target.with_name(f".{name}")
    fresh.write_bytes(content)
    fresh.rename(target)
    return target


Validator = Callable[[dict[str, Any]], dict[str, Any] | None]


class FakeGateway(httpx.AsyncBaseTransport):
    """Stores events by their ids. `answer_for` may return the problem of an event.

    `away` answers so many requests with 503 first; `lost` stores and then breaks the connection.
    """

    def __init__(
        self, answer_for: Validator = lambda _: None, *, away: int = 0, lost: int = 0
    ) -> None:
        self.events: dict[str, dict[str, Any]] = {}
        self.requests = 0
        self._came = asyncio.Event()
        self.away, self.lost = away, lost
        self._answer_for = answer_for

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/oauth/token":
            return httpx.Response(200, json={"access_token": "t", "expires_in": 3600})
        self.requests += 1
        self._came.set()
        if self.away:
            self.away -= 1
            problem = {"type": "about:blank", "title": "Service Unavailable", "status": 503}
            return httpx.Response(503, json=problem)
        results = [self._store(event) for event in json.loads(await request.aread())]
        if self.lost:
            self.lost -= 1
            raise httpx.ReadError("connection reset")
        return httpx.Response(207, json={"results": results})

    async def reached(self, requests: int) -> None:
        """Until so many requests have come."""
        while self.requests < requests:
            self._came.clear()
            await self._came.wait()

    def _store(self, event: dict[str, Any]) -> dict[str, Any]:
        problem = self._answer_for(event)
        if problem is not None:
            return {"status": problem["status"], "problem": problem}
        known = self.events.setdefault(event["id"], event)
        if known != event:
            return {"status": 409, "problem": REUSED}
        return {"status": 202, "receipt": {"duplicate": known is not event}}


def a_sender(gateway: FakeGateway) -> Sender:
    """A sender that hardly waits."""
    bus = Nusabus(
        "http://bus", "id", "secret", transport=gateway, retry=CallRetryPolicy(attempts=1)
    )
    return Sender(bus, first_delay=0.001, longest_delay=0.01)


OUT = f"""
name = "answers"
direction = "out"
subscription = "answers"
file_name = "ANS-{{date:%Y%m%d}}-{{number:06}}.DAT"
[[events]]
type = "{TYPE}"
[[control]]
record = "head"
place = "begin"
[control.fields]
rec_type = {{ of = "value", value = "H" }}
file_date = {{ of = "date" }}
serial_no = {{ of = "serial" }}
[[control]]
record = "tail"
[control.fields]
rec_type = {{ of = "value", value = "T" }}
record_count = {{ of = "count" }}
amount_total = {{ of = "sum", member = "amount" }}
hash_total = {{ of = "sum", member = "serial_in_file", modulo = 1000000 }}
"""


class FakePull(httpx.AsyncBaseTransport):
    """A subscription that is pulled: what is not acknowledged is handed out again.

    `lost` answers to acknowledgements break, after they were carried out or not.
    """

    def __init__(self, *data: dict[str, Any], lost: int = 0) -> None:
        self.waiting = {f"t{at}": self._event(at, each) for at, each in enumerate(data)}
        self.rejected: dict[str, str] = {}
        self.lost = lost
        self.step: Callable[[], None] = lambda: None
        self.refusal = 0  # the status of every answer

    def _event(self, at: int, data: dict[str, Any]) -> dict[str, Any]:
        return {"id": f"e{at}", "source": "/uji", "type": TYPE, "data": data}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/oauth/token":
            return httpx.Response(200, json={"access_token": "t", "expires_in": 3600})
        self.step()
        if self.refusal:
            return httpx.Response(self.refusal, json={"status": self.refusal, "title": "No"})
        body = json.loads(await request.aread())
        what = request.url.path.rpartition("/")[2]
        if what == "receive":
            some = list(self.waiting.items())[: min(3, body["max"])]
            events = [{"token": token, "event": event} for token, event in some]
            return httpx.Response(200, json={"events": events})
        if self.lost and what == "acknowledge":
            self.lost -= 1
            if self.lost % 2:
                self._settle(body)
            raise httpx.ReadError("connection reset")
        return httpx.Response(200, json={"results": self._settle(body)})

    def _settle(self, body: dict[str, Any]) -> list[str]:
        results = []
        for token in body.get("tokens", ()):
            event = self.waiting.pop(token, None)
            if event is not None and "reason" in body:
                self.rejected[event["id"]] = body["reason"]
            results.append("gone" if event is None else "settled")
        return results


def a_bus(transport: httpx.AsyncBaseTransport) -> Nusabus:
    """A connection that repeats nothing by itself."""
    return Nusabus(
        "http://bus", "id", "secret", transport=transport, retry=CallRetryPolicy(attempts=1)
    )


def a_payment_document(number: int, amount: str = "12.50") -> dict[str, Any]:
    """The document of `a_payment`."""
    return {
        "rec_type": "D", "taxpayer": f"W{number:07}", "amount": amount, "serial_in_file": number,
    }  # fmt: skip
