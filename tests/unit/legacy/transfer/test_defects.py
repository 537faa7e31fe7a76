"""A file or an event on which the program fails costs itself: it is set aside, and others go on."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from adapters.legacy_cobol.transfer import folders, intake, publisher
from adapters.legacy_cobol.transfer.incoming import BadMarker, parse_marker
from adapters.legacy_cobol.transfer.intake import Intake
from adapters.legacy_cobol.transfer.journal import FileOutcome
from adapters.legacy_cobol.transfer.outbound import OutboundFeed, run_outbound
from adapters.legacy_cobol.transfer.watcher import watch
from tests.legacy_feeds import (
    OUT,
    FakeGateway,
    FakePull,
    a_bus,
    a_feed,
    a_file,
    a_payment_document,
    a_sender,
    payments,
    submit,
)
from tests.unit.legacy.transfer.outbound_worlds import names, work

NIK = "3273014105900001"


class Defect(Exception):
    """What nobody expects; its text quotes a record."""


def broken(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, meets: str) -> None:
    """Let a function raise where the text of its arguments holds this."""
    whole = getattr(owner, name)

    def part(*given: Any, **more: Any) -> Any:
        if meets in str(given):
            raise Defect(NIK)
        return whole(*given, **more)

    monkeypatch.setattr(owner, name, part)


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (Intake, "_refuse_unread"),
        (Intake, "_decide"),
        (Intake, "_publish"),
        (Intake, "_end"),
        (intake, "acknowledgement"),
        (intake, "parse_marker"),
    ],
)
async def test_a_file_with_a_defect_is_set_aside_and_the_next_ones_are_taken(
    owner: Any, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    feed, gateway = a_feed(tmp_path, 'complete = "done"\n'), FakeGateway()
    for number in (1, 2, 3):
        submit(
            feed,
            a_file(payments(3, first=10 * number), serial=max(1, number - 1)),
            f"P{number}.DAT",
        )
        (tmp_path / "incoming" / f"P{number}.DAT.done").write_text(f"# P{number}\n")
    broken(monkeypatch, owner, name, "P1")
    found = await work(feed, gateway)
    assert [each.name for each in found] == ["P1.DAT", "P2.DAT", "P3.DAT"]
    assert found[0].outcome is not FileOutcome.ACCEPTED
    assert names(feed, "failed") == ["P1.DAT.000001", "P1.DAT.000001.done"]
    assert names(feed, "incoming") == names(feed, "processing") == []
    assert "legacy.file_failed" in (shown := capsys.readouterr().out)
    assert NIK not in shown
    assert NIK not in found[0].reason


async def test_records_that_are_events_stay_so_and_the_file_may_come_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed, gateway = a_feed(tmp_path), FakeGateway()
    content = a_file(payments(1500))
    submit(feed, content)
    monkeypatch.setattr(publisher, "CHECKPOINT", 0)
    whole, calls = publisher.FilePublisher._settle, []

    async def settle(self: Any, *given: Any) -> None:
        calls.append(1)
        if len(calls) > 1:
            raise Defect
        await whole(self, *given)

    monkeypatch.setattr(publisher.FilePublisher, "_settle", settle)
    (file,) = await work(feed, gateway)
    assert file.outcome is FileOutcome.QUARANTINE
    assert 0 < file.published < 1500
    assert f"(Defect), which was logged, after {file.published} records" in file.reason
    monkeypatch.undo()
    submit(feed, content)
    (again,) = await work(feed, gateway)
    assert (again.outcome, again.published) == (FileOutcome.ACCEPTED, 1500)
    assert len(gateway.events) == 1500


async def test_a_file_that_must_wait_keeps_no_other_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed, gateway = a_feed(tmp_path), FakeGateway()
    submit(feed, a_file(payments(3)), "A.DAT")
    submit(feed, a_file(payments(3, first=20), serial=1), "B.DAT")
    whole = folders.move

    def move(source: Path, target: Path) -> None:
        if source.name == "A.DAT":
            raise OSError(28, "No space left on device")
        whole(source, target)

    monkeypatch.setattr(intake, "move", move)
    (taken,) = await watch(feed, a_sender(gateway), asyncio.Event(), once=True)
    assert taken.name == "B.DAT"
    monkeypatch.undo()
    (later,) = await watch(feed, a_sender(gateway), asyncio.Event(), once=True)
    assert later.name == "A.DAT"


@pytest.mark.parametrize(
    "text",
    [
        "records = " + "9" * 5000, "size = \u0661" + "1" * 40, '{"a":' * 3000, "{" * 60_000,
        '{"records": ' + "1" * 5000 + "}", '{"records": 1e999}', '{"size": [1]}',
        "records = 1\0", "sha256 = " + "x" * 60_000, "= 5", "\ud800 = 1",
    ],
)  # fmt: skip
def test_an_odd_marker_is_a_bad_marker(text: str, tmp_path: Path) -> None:
    with pytest.raises(BadMarker) as raised:
        parse_marker(text, a_feed(tmp_path))
    assert len(str(raised.value)) < 300


async def test_an_event_that_fits_nothing_is_rejected_and_the_others_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed = a_feed(tmp_path, feed=OUT)
    documents = [a_payment_document(number) for number in range(1, 6)]
    documents[1]["serial_in_file"] = 10**4000
    documents[2]["taxpayer"] = "rusak"
    broken(monkeypatch, OutboundFeed, "_spooled", "rusak")
    pull = FakePull(*documents)
    await run_outbound(feed, a_bus(pull), asyncio.Event(), once=True)
    refused = (tmp_path / "rejects" / "refused.jsonl").read_text().splitlines()
    assert len(refused) == 2
    assert "the feed failed on it (Defect)" in json.dumps(refused)
    assert not pull.waiting
