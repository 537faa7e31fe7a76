"""What a feed takes, when, in which order; records that make one event together."""

import asyncio
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from adapters.legacy_cobol.transfer import metrics, source_records
from adapters.legacy_cobol.transfer.file_check import CheckResult, FileChecker
from adapters.legacy_cobol.transfer.folders import FeedBusy, locked
from adapters.legacy_cobol.transfer.journal import FileOutcome
from adapters.legacy_cobol.transfer.watcher import watch
from tests.legacy_feeds import (
    FEED,
    LAYOUT,
    FakeGateway,
    a_feed,
    a_file,
    a_payment,
    a_sender,
    payments,
    submit,
)
from tests.unit.legacy.transfer.outbound_worlds import names, work
from tests.waiting import eventually


@pytest.mark.parametrize(
    ("mode", "marker", "expected"),
    [
        ("done", "", FileOutcome.ACCEPTED),
        ("ctl", "size = {size}\nsha256 = {sha256}\nrecords = 3", FileOutcome.ACCEPTED),
        ("ctl", '{{"SIZE": {size}}}', FileOutcome.ACCEPTED),
        ("ctl", "", FileOutcome.QUARANTINE),
        ("ctl", "size = 1", FileOutcome.QUARANTINE),
        ("ctl", "records = 4", FileOutcome.QUARANTINE),
        ("ctl", f"sha256 = {'0' * 64}", FileOutcome.QUARANTINE),
        ("ctl", "sha256 = 00", FileOutcome.QUARANTINE),
        ("ctl", "colour = red", FileOutcome.QUARANTINE),
        ("ctl", "size", FileOutcome.QUARANTINE),
        ("ctl", "{{", FileOutcome.QUARANTINE),
    ],
)
async def test_markers(tmp_path: Path, mode: str, marker: str, expected: FileOutcome) -> None:
    feed = a_feed(tmp_path, f'complete = "{mode}"')
    content = a_file(payments(3))
    file = submit(feed, content)
    assert await work(feed) == []
    sha256 = hashlib.sha256(content).hexdigest()
    text = marker.format(size=len(content), sha256=sha256)
    file.with_name(f"{file.name}.{mode}").write_text(text)
    (found,) = await work(feed)
    assert found.outcome is expected, found.reason
    assert names(feed, "incoming") == names(feed, "processing") == []


async def test_what_is_not_taken(tmp_path: Path) -> None:
    feed = a_feed(tmp_path, 'pattern = "PAY*"')
    for name in ("PAY.DAT.part", ".PAY.DAT", "OTHER.DAT", "PAY.DAT.tmp", "PAY\n"):
        submit(feed, a_file(payments(1)), name)
    (feed.folder / "incoming" / "PAY.LINK").symlink_to("/etc/passwd")
    (feed.folder / "incoming" / "PAY.FOLDER").mkdir()
    assert await work(feed) == []


async def test_what_its_sender_has_open_is_left_alone(tmp_path: Path) -> None:
    feed, gateway = a_feed(tmp_path), FakeGateway()
    content = a_file(payments(3))
    with (feed.folder / "incoming" / "PAY.DAT").open("wb") as file:
        file.write(content[:40])
        file.flush()
        assert await work(feed, gateway) == []
        file.write(content[40:])
    (found,) = await work(feed, gateway)
    assert found.outcome is FileOutcome.ACCEPTED


async def test_what_changes_while_it_is_checked_is_quarantined(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed = a_feed(tmp_path)
    submit(feed, a_file(payments(3)))
    check = FileChecker.check

    def check_and_change(self: FileChecker, file: Path, *more: Any) -> CheckResult:
        found = check(self, file, *more)
        with file.open("ab") as late:
            late.write(b"x")
        return found

    monkeypatch.setattr(FileChecker, "check", check_and_change)
    (found,) = await work(feed)
    assert (found.outcome, found.reason) == (
        FileOutcome.QUARANTINE, "the file changed while it was checked",
    )  # fmt: skip


async def test_metrics_tell_of_a_file_that_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics, "INTERVAL", 0.01)
    feed, gateway, stop = a_feed(tmp_path), FakeGateway(away=1_000_000), asyncio.Event()
    submit(feed, a_file(payments(3)))
    submit(feed, a_file(payments(3), serial=2), "PAZ.DAT")
    task = asyncio.create_task(watch(feed, a_sender(gateway), stop))
    wanted = {
        'nusabus_legacy_files{feed="payments",outcome="publishing"} 1.0',
        'nusabus_legacy_waiting_files{feed="payments"} 1.0',
        'nusabus_legacy_records{feed="payments",outcome="records"} 3.0',
    }

    def is_written() -> bool:
        file = tmp_path / "metrics.prom"
        return file.exists() and wanted <= set(file.read_text().splitlines())

    await asyncio.to_thread(eventually, is_written)
    gateway.away = 0
    await asyncio.to_thread(eventually, lambda: len(names(feed, "acks")) == 2)
    stop.set()
    await task
    text = (tmp_path / "metrics.prom").read_text()
    assert 'nusabus_legacy_files{feed="payments",outcome="accepted"} 2.0' in text


async def test_only_one_works_a_feed(tmp_path: Path) -> None:
    feed = a_feed(tmp_path)
    with locked(feed.folder), pytest.raises(FeedBusy):
        await work(feed)


async def test_a_watch_takes_what_comes_and_stops(tmp_path: Path) -> None:
    feed, gateway, stop = a_feed(tmp_path), FakeGateway(), asyncio.Event()
    task = asyncio.create_task(watch(feed, a_sender(gateway), stop))
    await asyncio.to_thread(eventually, (tmp_path / "metrics.prom").exists)
    submit(feed, a_file(payments(3)))
    await asyncio.to_thread(eventually, lambda: names(feed, "acks"))
    stop.set()
    await task
    assert names(feed, "acks") == ["PAY.DAT.000001.ack"]
    assert len(gateway.events) == 3


async def test_events_of_one_subject_stay_in_order(tmp_path: Path) -> None:
    feed, gateway = a_feed(tmp_path), FakeGateway()
    records = [a_payment(number, who=f"W{number % 7}") for number in range(1, 5001)]
    submit(feed, a_file(records))
    await work(feed, gateway)
    serials: dict[str, list[int]] = {}
    for event in gateway.events.values():
        serials.setdefault(event["subject"], []).append(event["data"]["serial_in_file"])
    assert len(serials) == 7
    assert all(found == sorted(found) for found in serials.values())


SEGMENTS = LAYOUT.replace(
    '[[records]]\nname = "tail"',
    '[[records]]\nname = "part"\nparent = "pay"\nrecord = "PAY-REC"\n'
    'when = [{ field = "REC-TYPE", values = ["P"] }]\n[[records]]\nname = "tail"',
)


CONTROLS = """
[[control]]
record = "head"
place = "begin"
[[control]]
record = "tail"
"""


async def test_an_event_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_records, "MOST_PARTS", 3)
    feed = a_feed(tmp_path, feed=FEED.partition("[[control]]")[0] + CONTROLS, layout=SEGMENTS)
    first, *others = payments(5)
    submit(feed, a_file([first, *(b"P" + each[1:] for each in others)]))
    (file,) = await work(feed)
    assert file.outcome is FileOutcome.QUARANTINE
    assert "byte 33: more than 3 records belong to the event of record 2" in file.reason


async def test_parents_and_children_are_one_event(tmp_path: Path) -> None:
    text = FEED.partition("[[control]]")[0] + CONTROLS
    feed = a_feed(tmp_path, feed=text, layout=SEGMENTS)
    gateway = FakeGateway()
    orphan, good, bad = (payments(6)[:1], payments(6)[1:3], payments(6)[3:6])
    child = [b"P" + each[1:] for each in orphan + good + bad]
    broken = child[4][:21] + b"XXXXXXXX" + child[4][29:]
    records = [child[0], good[0], child[1], child[2], bad[0], child[4], child[5], bad[2]]
    submit(feed, a_file(records).replace(child[4], broken))
    (file,) = await work(feed, gateway)
    assert (file.outcome, file.records, file.rejected) == (FileOutcome.PARTIAL, 8, 4)
    documents = [event["data"] for event in gateway.events.values()]
    assert [len(each.get("parts", ())) for each in documents] == [2, 0]
    report = (feed.folder / "rejects" / "PAY.DAT.000001.report.jsonl").read_text()
    codes = [json.loads(line)["faults"][0]["code"] for line in report.splitlines()]
    assert codes == ["no-parent", "part-of-rejected", "invalid-digit", "part-of-rejected"]
