"""Files that come: what becomes of them, their records, and what the sender is told."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from adapters.legacy_cobol.transfer.journal import FileOutcome, Journal
from tests.legacy_feeds import (
    FEED,
    FakeGateway,
    a_feed,
    a_file,
    a_payment,
    payments,
    submit,
)
from tests.unit.legacy.transfer.outbound_worlds import names, outcome, refusing, work


async def test_a_good_file(tmp_path: Path) -> None:
    feed, gateway = a_feed(tmp_path), FakeGateway()
    submit(feed, a_file(payments(2500)))
    (file,) = await work(feed, gateway)
    assert (file.outcome, file.records, file.published, file.rejected) == (
        FileOutcome.ACCEPTED, 2500, 2500, 0,
    )  # fmt: skip
    assert file.digest is not None
    assert len(gateway.events) == 2500
    first = gateway.events[f"{file.digest[:32]}-2"]
    assert first["subject"] == "WP-W0000001"
    assert first["data"] == {
        "rec_type": "D", "taxpayer": "W0000001", "amount": "12.50", "serial_in_file": 1,
    }  # fmt: skip
    assert len({event["traceparent"] for event in gateway.events.values()}) == 1
    assert names(feed, "incoming") == names(feed, "processing") == names(feed, "rejects") == []
    assert names(feed, "done") == ["PAY.DAT.000001"]
    ack = (feed.folder / "acks" / "PAY.DAT.000001.ack").read_bytes()
    assert len(ack) == 4 * 400
    assert ack[:2] == b"AK"
    assert ack[74:84] == b"ACCEPTED  "
    assert (
        'nusabus_legacy_files{feed="payments",outcome="accepted"} 1.0'
        in (feed.folder / "metrics.prom").read_text()
    )


async def test_what_is_rejected(tmp_path: Path) -> None:
    feed, gateway = a_feed(tmp_path), refusing(5)
    good = payments(5)
    bad_digit = good[1][:21] + b"0000000X" + good[1][29:]
    bad_amount = good[2][:9] + b"+0000X001250"[:12] + good[2][21:]
    content = a_file(good, total=5 * 1250)
    submit(feed, content.replace(good[1], bad_digit).replace(good[2], bad_amount))
    (file,) = await work(feed, gateway)
    assert (file.outcome, file.published, file.rejected) == (FileOutcome.PARTIAL, 2, 3)
    assert [(each["name"], each["agrees"], each["unknown"]) for each in file.totals] == [
        ("record_count", True, 0), ("amount_total", True, 1), ("hash_total", True, 1),
    ]  # fmt: skip
    raw = (feed.folder / "rejects" / "PAY.DAT.000001.rejects").read_bytes()
    assert raw == bad_digit + bad_amount + good[3]
    lines = (feed.folder / "rejects" / "PAY.DAT.000001.report.jsonl").read_text().splitlines()
    found = [json.loads(line) for line in lines]
    assert [(each["record"], each["offset"], each["faults"][0]["field"]) for each in found] == [
        (3, 66, "SERIAL-IN-FILE"), (4, 99, "AMOUNT"), (5, 132, "amount"),
    ]  # fmt: skip
    assert [each["faults"][0]["code"] for each in found] == [
        "invalid-digit", "invalid-digit", "gateway:contract-violation",
    ]  # fmt: skip
    text = (feed.folder / "rejects" / "PAY.DAT.000001.report.txt").read_text()
    assert "Record 3 (pay) at byte 66" in text
    assert "hex 3x3x3x3x3x3x3x58" in text
    assert "Correct the digit" in text


async def test_a_record_without_a_subject_is_rejected(tmp_path: Path) -> None:
    feed = a_feed(tmp_path)
    submit(feed, a_file([a_payment(1), a_payment(2, who=" "), a_payment(3)]))
    (file,) = await work(feed)
    assert (file.outcome, file.published, file.rejected) == (FileOutcome.PARTIAL, 2, 1)
    report = (feed.folder / "rejects" / "PAY.DAT.000001.report.txt").read_text()
    assert "taxpayer: no-subject" in report


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"count": 4}, "record_count: the sender states 4, the file has 3"),
        ({"total": 1}, "amount_total: the sender states 0.01, the file has 37.50"),
        ({"date": "20261399"}, "file_date"),
        ({"serial": 2}, "serial 2 of 2026-11-22, but 1 is the next one"),
    ],
)
async def test_controls_that_disagree_quarantine_before_any_event(
    tmp_path: Path, change: dict[str, Any], reason: str
) -> None:
    feed, gateway = a_feed(tmp_path), FakeGateway()
    submit(feed, a_file(payments(3), **change))
    found, why = await outcome(feed, gateway)
    assert found is FileOutcome.QUARANTINE
    assert reason in why
    assert gateway.requests == 0
    assert names(feed, "failed") == ["PAY.DAT.000001"]
    ack = (feed.folder / "acks" / "PAY.DAT.000001.ack").read_bytes()
    assert ack[74:84] == b"QUARANTINE"


@pytest.mark.parametrize(
    ("cut", "reason"),
    [
        (slice(33, None), "does not begin with a good head"),
        (slice(None, -33), "does not end with a good tail"),
        (slice(None, -5), "byte 132"),
    ],
)
async def test_a_torn_file_is_quarantined(tmp_path: Path, cut: slice, reason: str) -> None:
    feed = a_feed(tmp_path)
    submit(feed, a_file(payments(3))[cut])
    found, why = await outcome(feed)
    assert found is FileOutcome.QUARANTINE
    assert reason in why


async def test_records_after_the_trailer(tmp_path: Path) -> None:
    feed = a_feed(tmp_path)
    submit(feed, a_file(payments(3)) + a_payment(4))
    assert await outcome(feed) == (
        FileOutcome.QUARANTINE, "record 6 follows the trailer, which is record 5",
    )  # fmt: skip


async def test_serials_go_up_by_one_a_day(tmp_path: Path) -> None:
    feed = a_feed(tmp_path)
    for name, serial in (("A", 1), ("B", 3), ("C", 2), ("D", 3)):
        submit(feed, a_file(payments(1, serial), serial=serial), name)
    submit(feed, a_file(payments(1, 9), date="20261123"), "E")
    found = [file.outcome for file in await work(feed)]
    good, bad = FileOutcome.ACCEPTED, FileOutcome.QUARANTINE
    assert found == [good, bad, good, good, good]


async def test_the_same_file_again_is_a_duplicate(tmp_path: Path) -> None:
    feed, gateway = a_feed(tmp_path), FakeGateway()
    submit(feed, a_file(payments(3)))
    await work(feed, gateway)
    requests = gateway.requests
    submit(feed, a_file(payments(3)), "OTHER.DAT")
    found, why = await outcome(feed, gateway)
    assert found is FileOutcome.DUPLICATE
    assert "the same as PAY.DAT, arrival 1" in why
    assert gateway.requests == requests
    assert names(feed, "acks") == ["OTHER.DAT.000002.ack", "PAY.DAT.000001.ack"]


async def test_the_same_name_with_other_content(tmp_path: Path) -> None:
    feed = a_feed(tmp_path)
    submit(feed, a_file(payments(3)))
    await work(feed)
    submit(feed, a_file(payments(4), serial=2))
    assert await outcome(feed) == (
        FileOutcome.QUARANTINE, "arrival 1 had the same name and other content",
    )  # fmt: skip
    reusing = a_feed(tmp_path, 'names = "reused"')
    submit(reusing, a_file(payments(4), serial=2))
    assert (await outcome(reusing))[0] is FileOutcome.ACCEPTED


async def test_what_was_refused_may_come_again(tmp_path: Path) -> None:
    feed = a_feed(tmp_path)
    submit(feed, a_file(payments(3), count=9))
    assert (await outcome(feed))[0] is FileOutcome.QUARANTINE
    submit(feed, a_file(payments(3)))
    assert (await outcome(feed))[0] is FileOutcome.ACCEPTED


@pytest.mark.parametrize(
    ("threshold", "expected"),
    [
        ("records = 1", FileOutcome.REJECTED),
        ("records = 2", FileOutcome.PARTIAL),
        ("percent = 9.9", FileOutcome.REJECTED),
        ("percent = 10", FileOutcome.PARTIAL),
    ],
)
async def test_the_threshold(tmp_path: Path, threshold: str, expected: FileOutcome) -> None:
    feed, gateway = a_feed(tmp_path, feed=f"{FEED}\n[threshold]\n{threshold}\n"), FakeGateway()
    good = payments(20)
    content = a_file(good)
    for each in good[:2]:
        content = content.replace(each, b"D" + b"\xff" * 8 + each[9:])
    submit(feed, content)
    assert (await outcome(feed, gateway))[0] is expected
    assert len(gateway.events) == (18 if expected is FileOutcome.PARTIAL else 0)
    assert "PAY.DAT.000001.report.txt" in names(feed, "rejects")


async def test_a_gateway_that_is_away_or_forgets_to_answer(tmp_path: Path) -> None:
    feed, gateway = a_feed(tmp_path), FakeGateway(away=5, lost=1)
    submit(feed, a_file(payments(10)))
    (file,) = await work(feed, gateway)
    assert (file.outcome, file.published, file.repeated) == (FileOutcome.ACCEPTED, 10, 10)
    assert file.note == ""


async def test_a_missing_right_is_waited_for(tmp_path: Path) -> None:
    feed, gateway = a_feed(tmp_path), refusing(5, "forbidden", 403)
    submit(feed, a_file(payments(10)))
    task = asyncio.create_task(work(feed, gateway))
    note = ""
    for _ in range(500):
        await asyncio.sleep(0.01)
        journal = Journal(feed.folder)
        files = journal.files()
        journal.close()
        note = files[0].note if files else ""
        if note:
            break
    assert "forbidden" in note
    gateway._answer_for = lambda _: None
    (file,) = await task
    assert (file.outcome, file.note) == (FileOutcome.ACCEPTED, "")


async def test_a_name_leads_nowhere_else(tmp_path: Path) -> None:
    """Links, hidden files, control characters and names without room for a suffix stay there."""
    feed, gateway = a_feed(tmp_path), FakeGateway()
    content = a_file(payments(3))
    secret = tmp_path / "secret.DAT"
    secret.write_bytes(content)
    incoming = feed.folder / "incoming"
    left = ["PAY\n2.DAT", ".PAY3.DAT", f"{'P' * 230}.DAT", "PAY\x1b[31m.DAT", "PAY\u202eTAD.DAT"]
    for name in left:
        (incoming / name).write_bytes(content)
    (incoming / "PAY4.DAT").symlink_to(secret)
    (incoming / "PAY5.DAT").mkdir()
    odd = "PAY..%2f..%2f$(id);.DAT"
    (incoming / odd).write_bytes(content)
    (file,) = await work(feed, gateway)
    assert (file.name, file.outcome) == (odd, FileOutcome.ACCEPTED)
    assert names(feed, "incoming") == sorted([*left, "PAY4.DAT", "PAY5.DAT"])
    assert names(feed, "done") == [f"{odd}.000001"]
    assert names(feed, "acks") == [f"{odd}.000001.ack"]
    assert secret.read_bytes() == content
