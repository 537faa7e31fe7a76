"""Personal data in a file stay in the file: reports, reasons, states and logs have none."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from adapters.legacy_cobol.transfer.folders import ACKS, DONE, FAILED, REJECTS
from adapters.legacy_cobol.transfer.journal import Journal
from adapters.legacy_cobol.transfer.masking import masked
from adapters.legacy_cobol.transfer.outbound import run_outbound
from adapters.legacy_cobol.transfer.spool import Spool, SpooledEvent
from tests import canaries
from tests.canaries import NAMES, NUMBERS, SPELLINGS
from tests.legacy_feeds import (
    OUT,
    FakeGateway,
    FakePull,
    a_bus,
    a_feed,
    a_file,
    a_payment,
    a_payment_document,
    submit,
)
from tests.unit.legacy.transfer.outbound_worlds import work

NIK = NUMBERS["nik"]
BAD = [
    a_payment(2, who=NIK[:8])[:9] + NIK[:12].encode() + a_payment(2)[21:],  # a digit for the sign
    a_payment(3)[:21] + b"SITI RAH" + a_payment(3)[29:],
    a_payment(4)[:9] + b"SITI RAHMAWA" + a_payment(4)[21:],
    a_payment(5)[:1] + b"\x00SITI R\x01" + a_payment(5)[9:],
    b"Z" + NIK.encode() + b"SITI RAHMAWATI  ",
]


def no_canary(folder: Path, *names: str) -> None:
    """Nothing that the feed wrote into these folders holds one, but what it keeps on purpose."""
    files = [each for name in names for each in (folder / name).rglob("*") if each.is_file()]
    files += [each for each in (folder / "metrics.prom",) if each.exists()]
    assert files
    for each in files:
        if each.suffix != ".rejects":  # the sender's own bytes, to be corrected
            assert canaries.found_in(each.read_bytes().decode("ascii", "replace")) == [], each
            assert "SITI" not in each.read_text(errors="replace"), each


def acknowledgement(folder: Path, arrival: int) -> str:
    """What the sender of a file is told."""
    (file,) = (folder / ACKS).glob(f"*.{arrival:06}.ack")
    return file.read_bytes().decode("ascii")


def refusing(event: dict[str, Any]) -> dict[str, Any] | None:
    """The gateway's refusal of a record, masked as the gateway masks."""
    if not event["id"].endswith("-6"):
        return None
    violations = [{"pointer": "/…", "keyword": "pattern", "message": "the value does not match"}]
    return {"type": "x/contract-violation", "title": "No", "status": 422, "detail": "so",
            "violations": violations}  # fmt: skip


async def test_a_file_with_bad_records(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    feed = a_feed(tmp_path)
    good = [a_payment(1), a_payment(6)]
    content = a_file(good, count=7, total=0)
    submit(feed, content[:-33] + b"".join(BAD) + content[-33:], f"BAYAR-{NIK}.DAT")
    submit(feed, a_file([*good], serial=2)[:-3], "POTONG.DAT")
    content = a_file(good, serial=2)
    submit(feed, content[:-33] + NIK.encode() * 2 + b" " + content[-33:], "ASING.DAT")
    files = await work(feed, FakeGateway(refusing))
    assert {str(each.outcome) for each in files} <= {
        "PARTIAL",
        "QUARANTINE",
        "REJECTED",
        "ACCEPTED",
    }
    assert any(each.rejected for each in files)
    no_canary(feed.folder, REJECTS)
    for each in files:
        assert canaries.found_in(each.reason) == []
        # The sender finds its file by the name that it gave.
        answer = acknowledgement(feed.folder, each.arrival).replace(each.name, "the file")
        assert (canaries.found_in(answer), "SITI" in answer) == ([], False)
    assert canaries.where(capsys.readouterr().out) == []
    assert list((feed.folder / ACKS).iterdir())
    assert [*(feed.folder / DONE).iterdir(), *(feed.folder / FAILED).iterdir()]
    journal = Journal(feed.folder)
    for each in files:
        faults = [fault for reject in journal.rejects(each.arrival) for fault in reject.faults]
        assert canaries.found_in(repr(faults)) == []
    journal.close()


@pytest.mark.parametrize(
    "text",
    [
        "{\"" + NIK + "\": 1}", f"{NAMES[0]} = 1", f"size = {NIK}x", f"sha256 = {NAMES[0]}",
        NAMES[0], "{" + SPELLINGS["e-mail"],
    ],
)  # fmt: skip
async def test_a_control_file(tmp_path: Path, text: str) -> None:
    feed = a_feed(tmp_path, 'complete = "ctl"')
    submit(feed, text.encode(), "A.DAT.ctl")
    submit(feed, a_file([a_payment(1)]), "A.DAT")
    (file,) = await work(feed)
    assert (str(file.outcome), canaries.found_in(file.reason)) == ("QUARANTINE", [])
    assert canaries.found_in(acknowledgement(feed.folder, file.arrival)) == []


async def test_events_that_fit_no_record(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    feed = a_feed(tmp_path, feed=OUT)
    pull = FakePull(
        {**a_payment_document(1), "taxpayer": NAMES[0]},
        {**a_payment_document(2), "amount": NIK},
        {**a_payment_document(3), "serial_in_file": SPELLINGS["nik with dots"]},
        {**a_payment_document(4), NIK: NAMES[0]},
        {**a_payment_document(5), "taxpayer": [NAMES[0]]},
    )
    await run_outbound(feed, a_bus(pull), asyncio.Event(), once=True)
    assert len(pull.rejected) == 5
    assert canaries.found_in(" ".join(pull.rejected.values())) == []
    no_canary(feed.folder, REJECTS)
    assert canaries.where(capsys.readouterr().out) == []


def stored(folder: Path) -> str:
    """All bytes of the spool: what was deleted, and what is still in its log, too."""
    return b"".join(each.read_bytes() for each in folder.glob("spool.db*")).decode("latin-1")


async def test_a_spool_whose_records_are_in_a_file(tmp_path: Path) -> None:
    feed = a_feed(tmp_path, feed=OUT)
    names = [f"SITI {number:03}" for number in range(200)]
    pull = FakePull(
        *({**a_payment_document(number), "taxpayer": name} for number, name in enumerate(names)),
        {**a_payment_document(999), "taxpayer": NAMES[0]},
    )
    pull.waiting["t200"] |= {"id": f"warga-{NIK}", "source": f"/uji/{NIK}"}
    await run_outbound(feed, a_bus(pull), asyncio.Event(), once=True)
    (file,) = (feed.folder / "outgoing").iterdir()
    assert all(name.encode() in file.read_bytes() for name in names)
    assert "SITI" not in stored(feed.folder)
    assert canaries.found_in(stored(feed.folder)) == []
    no_canary(feed.folder, REJECTS)


def test_a_spool_that_stays_open(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    with spool.change():
        spool.add(
            SpooledEvent(bytes([number]), "pay", "SITI", (b"SITI RAHMAWATI" * 500,))
            for number in range(20)
        )
    assert "SITI" in stored(tmp_path)
    with spool.change():
        spool.delete_until(20)
    spool.clear_log()
    assert "SITI" not in stored(tmp_path)
    spool.close()


def test_names_of_files_in_logs() -> None:
    assert masked(f"BAYAR-{NIK}.DAT") == "BAYAR-….DAT"
    assert masked(f"{SPELLINGS['nik with hyphens']}.DAT") == "….DAT"
    for name in ("KLAIM-20261128-000001.DAT", "PAY.DAT", "ANS-20261128-000017.DAT.000001"):
        assert masked(name) == name
