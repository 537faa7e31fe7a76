"""Feeds against a running bus: a file in, a file out, and what the contract refuses."""

import asyncio
import json
from pathlib import Path

from adapters.client import Nusabus
from adapters.legacy_cobol.transfer.journal import FileOutcome
from adapters.legacy_cobol.transfer.outbound import OutboundFeed, run_outbound
from adapters.legacy_cobol.transfer.sender import ONCE, Sender
from adapters.legacy_cobol.transfer.spool import Spool
from adapters.legacy_cobol.transfer.watcher import watch
from tests.builders import CITIZEN, FREE, a_name
from tests.bus import Actor, Bus
from tests.legacy_feeds import FEED, OUT, TYPE, a_feed, a_file, a_payment, payments, submit
from tests.pull_receiver import Puller

assert TYPE == FREE


def connect(actor: Actor) -> Nusabus:
    return Nusabus(str(actor.bus.http.base_url), actor.id, actor.secret, retry=ONCE)


async def test_a_file_goes_through_the_bus_and_comes_back_as_a_file(
    bus: Bus, tmp_path: Path
) -> None:
    uji = bus.actor("uji")
    answers = a_feed(tmp_path / "out", feed=OUT.replace('"answers"', f'"{a_name()}"'))
    payment = a_feed(tmp_path / "in")
    submit(payment, a_file(payments(1500)))
    async with connect(uji) as connection:
        await connection.call(
            "PUT", f"/v1/subscriptions/{answers.subscription}",
            json={"types": [TYPE], "delivery": "pull", "ordered": True},
        )  # fmt: skip
        sender = Sender(connection)
        (file,) = await watch(payment, sender, asyncio.Event(), once=True)
        assert (file.outcome, file.published, file.repeated) == (FileOutcome.ACCEPTED, 1500, 0)
        await run_outbound(answers, connection, asyncio.Event(), once=True)
    (back,) = (answers.folder / "outgoing").iterdir()
    content = back.read_bytes()
    records = {content[at : at + 33] for at in range(33, len(content) - 33, 33)}
    assert records == set(payments(1500))
    assert content[-33:] == a_file(payments(1500))[-33:]


async def test_the_same_records_again_are_duplicates_to_the_bus(bus: Bus, tmp_path: Path) -> None:
    uji = bus.actor("uji")
    async with connect(uji) as connection:
        for name in ("one", "other"):  # a feed that lost its journal
            feed = a_feed(tmp_path / name)
            submit(feed, a_file(payments(20, 7000)))
            (file,) = await watch(feed, Sender(connection), asyncio.Event(), once=True)
            assert file.outcome is FileOutcome.ACCEPTED
    assert file.repeated == 20


async def test_what_breaks_the_contract_is_rejected_with_its_reason(
    bus: Bus, tmp_path: Path
) -> None:
    feed = a_feed(tmp_path, feed=FEED.replace(TYPE, CITIZEN))
    submit(feed, a_file([a_payment(1)]))
    async with connect(bus.actor("uji")) as connection:
        (file,) = await watch(feed, Sender(connection), asyncio.Event(), once=True)
    assert (file.outcome, file.published, file.rejected) == (FileOutcome.REJECTED, 0, 1)
    report = (tmp_path / "rejects" / "PAY.DAT.000001.report.jsonl").read_text()
    (fault,) = json.loads(report)["faults"]
    assert fault["code"] == "gateway:contract-violation"
    assert "nik" in fault["detail"]


async def test_the_trace_is_that_of_the_file(bus: Bus, tmp_path: Path) -> None:
    uji = bus.actor("uji")
    puller = Puller(uji, FREE)
    feed = a_feed(tmp_path)
    submit(feed, a_file(payments(3, 8000)))
    async with connect(uji) as connection:
        (file,) = await watch(feed, Sender(connection), asyncio.Event(), once=True)
    assert file.digest is not None
    events = [each["event"] for each in await asyncio.to_thread(puller.receive)]
    mine = [each for each in events if each["id"].startswith(file.digest[:32])]
    assert sorted(each["id"].rpartition("-")[2] for each in mine) == ["2", "3", "4"]
    assert {each["traceparent"][3:35] for each in mine} == {file.digest[:32]}


async def test_a_feed_takes_a_subscription_that_began_earlier(bus: Bus, tmp_path: Path) -> None:
    feed = a_feed(tmp_path, feed=OUT.replace('"answers"', f'"{a_name()}"'))
    spool = Spool(tmp_path)
    async with connect(bus.actor("uji")) as connection:
        path = f"/v1/subscriptions/{feed.subscription}"
        body = {"types": [TYPE], "delivery": "pull", "ordered": True, "start": "beginning"}
        made = await connection.call("PUT", path, json=body)
        await OutboundFeed(feed, spool, connection).subscribe()
        found = await connection.call("GET", path)
    spool.close()
    assert (found["start"], found["types"]) == (made["start"], [TYPE])
