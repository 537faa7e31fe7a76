"""Names of members in feed.toml, control fields in groups, totals that do not fit, dry runs."""

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog

from adapters.client import Problem
from adapters.legacy_cobol.mapping.section import LayoutError
from adapters.legacy_cobol.transfer.feed import Feed, read_feed
from adapters.legacy_cobol.transfer.file_check import FileChecker
from adapters.legacy_cobol.transfer.issuer import ControlRefused, FileIssuer
from adapters.legacy_cobol.transfer.journal import FileOutcome
from adapters.legacy_cobol.transfer.outbound import run_outbound
from adapters.legacy_cobol.transfer.rehearsal import rehearse
from adapters.legacy_cobol.transfer.spool import IssueState, Spool
from tests.legacy_feeds import (
    COPYBOOK,
    FEED,
    LAYOUT,
    OUT,
    TYPE,
    FakeGateway,
    FakePull,
    a_bus,
    a_feed,
    a_file,
    a_payment,
    a_payment_document,
    payments,
    submit,
)
from tests.unit.legacy.transfer.outbound_worlds import names, outcome, work


@pytest.mark.parametrize(
    ("old", "new", "where", "advice"),
    [
        ("record_count =", "record_coun =", "control[2].fields.record_coun", "mean record_count"),
        ('member = "amount"', 'member = "amout"', "fields.amount_total.member", "mean amount"),
        ('member = "amount"', 'member = "record_count"', "amount_total.member", "Known: amount"),
        ("WP-{taxpayer}", "WP-{tax_payer}", "events[1].subject", "Perhaps you mean taxpayer"),
        ("serial_no =", '"head.serial_no" =', "control[1].fields.head.serial_no", "mean serial_no"),
    ],
)
def test_names_that_do_not_exist_are_refused(
    tmp_path: Path, old: str, new: str, where: str, advice: str
) -> None:
    with pytest.raises(LayoutError) as caught:
        a_feed(tmp_path, feed=FEED.replace(old, new))
    assert where in caught.value.where
    assert advice in caught.value.remedy


@pytest.mark.parametrize("name", ["A-{number:06}-{day}.DAT", "A-{number:zz}.DAT", "{number}{}"])
def test_names_of_files_have_known_braces(tmp_path: Path, name: str) -> None:
    feed = OUT.replace('"ANS-{date:%Y%m%d}-{number:06}.DAT"', f'"{name}"')
    with pytest.raises(LayoutError, match="has other braces"):
        a_feed(tmp_path, feed=feed)


GROUPED = COPYBOOK.replace(
    "   05 RECORD-COUNT PIC 9(8).", "   05 COUNTS. 10 RECORD-COUNT PIC 9(8)."
).replace("   05 AMOUNT PIC", "   05 G. 10 AMOUNT PIC")
NAMES = (("record_count =", '"counts.record_count" ='), ('"amount"', '"g.amount"'))


def in_groups(feed: str) -> str:
    """The feed with the names of members in groups."""
    for old, new in NAMES:
        feed = feed.replace(old, new)
    return feed


def grouped(folder: Path, feed: str) -> Feed:
    a_feed(folder, feed=FEED)
    (folder / "pay.cpy").write_text(GROUPED)
    (folder / "feed.toml").write_text(feed)
    return read_feed(folder)


def test_control_fields_and_members_in_groups(tmp_path: Path) -> None:
    feed = grouped(tmp_path, in_groups(FEED))
    file = tmp_path / "a.dat"
    file.write_bytes(a_file(payments(3)))
    checked = FileChecker(feed).check(file, lambda _: None)
    assert not checked.problem
    assert [(each.name, each.agrees) for each in checked.totals[:2]] == [
        ("counts.record_count", True),
        ("amount_total", True),
    ]
    file.write_bytes(a_file(payments(3), count=4))
    assert "counts.record_count" in FileChecker(feed).check(file, lambda _: None).problem
    bad = a_payment(1)[:9] + b"x" + a_payment(1)[10:]
    file.write_bytes(a_file([bad, a_payment(2)], total=2500))
    assert FileChecker(feed).check(file, lambda _: None).totals[1].unknown == 1


async def test_control_fields_in_groups_are_written(tmp_path: Path) -> None:
    value = 'rec_type = { of = "value", value = "T" }\n'
    feed = grouped(tmp_path, in_groups(OUT).replace(value, ""))
    document = a_payment_document(1)
    document["g"] = {"amount": document.pop("amount")}
    await run_outbound(feed, a_bus(FakePull(document)), asyncio.Event(), once=True)
    (file,) = (tmp_path / "outgoing").iterdir()
    assert file.read_bytes()[-33:] == b" 00000001+0000000001250000001    "


async def test_a_contract_that_refuses_every_record_burns_neither_name_nor_serial(
    tmp_path: Path,
) -> None:
    feed = a_feed(tmp_path)
    no = {"type": "x/contract-violation", "title": "No", "status": 422, "detail": "so"}
    refusing = FakeGateway(lambda _: no)
    submit(feed, a_file(payments(2)))
    found = await outcome(feed, refusing)
    assert found == (FileOutcome.REJECTED, "none of 2 records was accepted")
    assert [each[:7] for each in names(feed, "failed")] == ["PAY.DAT"]
    submit(feed, a_file(payments(3)))
    assert await outcome(feed) == (FileOutcome.ACCEPTED, "")


class Existing(FakePull):
    """A subscription that is there, and began earlier than the feed would."""

    found: dict[str, Any]

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.method == "PUT":
            return httpx.Response(409, json={"status": 409, "title": "Conflict"})
        if request.method == "GET":
            return httpx.Response(200, json=self.found)
        return await super().handle_async_request(request)


@pytest.mark.parametrize(
    ("change", "taken"),
    [
        ({}, True),
        ({"ordered": False}, False),
        ({"delivery": "webhook"}, False),
        ({"types": [TYPE, "id.go.uji.lain.dicatat.v1"]}, False),
    ],
)
async def test_a_feed_takes_the_subscription_that_began_earlier(
    tmp_path: Path, change: dict[str, Any], taken: bool
) -> None:
    feed, pull = a_feed(tmp_path, feed=OUT), Existing(a_payment_document(1))
    pull.found = {"types": [TYPE], "delivery": "pull", "ordered": True} | change
    if not taken:
        with pytest.raises(Problem, match="409"):
            await run_outbound(feed, a_bus(pull), asyncio.Event(), once=True)
        return
    await run_outbound(feed, a_bus(pull), asyncio.Event(), once=True)
    assert len(list((tmp_path / "outgoing").iterdir())) == 1


async def stopped_feed(folder: Path) -> Feed:
    """A feed whose second file has a total of two digits, for which its trailer has one."""
    a_feed(folder, feed=OUT)
    (folder / "pay.cpy").write_text(COPYBOOK.replace("HASH-TOTAL PIC 9(6)", "HASH-TOTAL PIC 9(1)"))
    layout = LAYOUT.replace('kind = "fixed"', 'kind = "fixed"\nlength = 33')
    (folder / "layout.toml").write_text(layout)
    text = OUT.replace(", modulo = 1000000", "") + "\n[rotation]\nrecords = 1\n"
    (folder / "feed.toml").write_text(text)
    feed = read_feed(folder)
    documents = [a_payment_document(number) for number in (1, 50, 2)]
    await run_outbound(feed, a_bus(FakePull(*documents)), asyncio.Event(), once=True)
    await run_outbound(feed, a_bus(FakePull()), asyncio.Event(), once=True)
    return feed


async def test_a_total_that_does_not_fit_stops_that_file_alone(tmp_path: Path) -> None:
    with structlog.testing.capture_logs() as logs:
        await stopped_feed(tmp_path)
    events = [each for each in logs if each["event"].startswith("legacy.file")]
    assert [each["event"] for each in events] == [
        "legacy.file_issued", "legacy.file_stopped", "legacy.file_issued",
    ]  # fmt: skip
    assert "tail record cannot be encoded: HASH-TOTAL" in events[1]["reason"]
    outgoing = sorted(each.name[-10:] for each in (tmp_path / "outgoing").iterdir())
    assert outgoing == ["000001.DAT", "000003.DAT"]


async def test_a_stopped_file_is_written_once_its_layout_is_mended(tmp_path: Path) -> None:
    feed = await stopped_feed(tmp_path)
    spool = Spool(tmp_path)
    assert (spool.file(2).state, spool.file(2).records) == (IssueState.STOPPED, 1)
    with pytest.raises(ControlRefused):
        FileIssuer(feed, spool).reissue(2)
    (tmp_path / "pay.cpy").write_text(COPYBOOK)
    path = FileIssuer(read_feed(tmp_path), spool).reissue(2)
    assert b"W0000050" in path.read_bytes()
    assert spool.file(2).state is IssueState.ISSUED
    assert spool.stop_reason(2) == ""
    spool.close()


def test_a_dry_run_changes_nothing(tmp_path: Path) -> None:
    feed = a_feed(tmp_path)
    file = tmp_path / "PAY.DAT"
    file.write_bytes(a_file(payments(3)))
    before = sorted(tmp_path.rglob("*"))
    found = rehearse(feed, file)
    assert (found.outcome, found.reason, found.checked.events) == (FileOutcome.ACCEPTED, "", 3)
    event = json.loads(found.first)
    assert (event["subject"], event["data"]["amount"]) == ("WP-W0000001", "12.50")
    assert sorted(tmp_path.rglob("*")) == before
    bad = b"D" + b"\x07" * 8 + a_payment(1)[9:]
    file.write_bytes(a_file([bad, *payments(1)], total=2500, count=2))
    found = rehearse(feed, file)
    assert (found.outcome, len(found.rejects)) == (FileOutcome.PARTIAL, 1)
    file.write_bytes(a_file(payments(3), count=9))
    found = rehearse(feed, file)
    assert (found.outcome, found.first) == (FileOutcome.QUARANTINE, b"")
    assert "record_count" in found.reason


async def test_a_dry_run_knows_what_the_feed_has_seen(tmp_path: Path) -> None:
    feed = a_feed(tmp_path)
    submit(feed, a_file(payments(3)))
    await work(feed)
    again = tmp_path / "PAY.DAT"
    for content, expected, reason in (
        (a_file(payments(3)), FileOutcome.DUPLICATE, "the same as PAY.DAT, arrival 1"),
        (a_file(payments(2), serial=2), FileOutcome.QUARANTINE, "arrival 1 had the same name"),
    ):
        again.write_bytes(content)
        found = rehearse(feed, again)
        assert found.outcome is expected
        assert reason in found.reason
    other = tmp_path / "OTHER.DAT"
    other.write_bytes(a_file(payments(2), serial=7))
    assert "2 is the next one" in rehearse(feed, other).reason
