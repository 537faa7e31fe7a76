"""The batch files of `make run`: two come and become events, one goes back out."""

import asyncio
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from adapters.client import Nusabus
from adapters.legacy_cobol.transfer.feed import Feed, read_feed
from adapters.legacy_cobol.transfer.folders import FeedBusy
from adapters.legacy_cobol.transfer.incoming import submit
from adapters.legacy_cobol.transfer.journal import File, Journal, Reject
from adapters.legacy_cobol.transfer.outbound import run_outbound
from adapters.legacy_cobol.transfer.sender import Sender
from adapters.legacy_cobol.transfer.spool import Issue, Spool
from adapters.legacy_cobol.transfer.watcher import watch
from deploy.local.credentials import Credentials
from deploy.local.demo_accounts import SCHEMAS, Accounts, open_accounts
from deploy.local.demo_env import DemoEnv
from deploy.local.demo_files import Batch, civil_registry, tax_payments

PENDUDUK = "id.go.dukcapil.penduduk.dimutakhirkan.v1"
SETORAN = "id.go.pajak.setoran.diterima.v1"
RECEIVER = "bps"
Make = Callable[[int, date], Batch]


@dataclass(frozen=True)
class Sent:
    """A file that came, and its records that became no events."""

    file: File
    rejects: list[Reject]


async def run(url: str, operator: Credentials, folder: Path, console: Console) -> bool:
    """Play the batch files in `folder`/feeds, print what came of them; whether all went well.

    Safe to repeat: each run has files with the next serial.
    """
    env = DemoEnv(folder / "demo.env")
    feeds = folder / "feeds"
    async with open_accounts(url, operator, env) as accounts:
        await accounts.admin.grant(RECEIVER, "subscribe", SETORAN)
        try:
            sent, issued = await perform(accounts, feeds)
        except FeedBusy as error:
            console.print(f"The batch files were left out: {error}", style="bold red")
            return False
    console.print(table(sent, issued))
    for line in reasons(sent):
        console.print(line, markup=False)
    console.print(
        f"The feeds are in {feeds}: acks/, rejects/ with reports, done/ and outgoing/.",
        markup=False,
    )
    outcomes = [each.file.outcome for each in sent]
    return all(outcome and outcome.is_published for outcome in outcomes) and bool(issued)


async def perform(accounts: Accounts, feeds: Path) -> tuple[list[Sent], list[Issue]]:
    """Send both files in; what goes back out."""
    answers = furnish(feeds / "bps-setoran", SETORAN, "feed-out.toml")
    receiver = accounts.buses[RECEIVER]
    body = {"types": [SETORAN], "delivery": "pull", "ordered": True}
    await receiver.call("PUT", f"/v1/subscriptions/{answers.subscription}", json=body)
    sent = [
        await _send(accounts.buses["dukcapil"], feeds / "dukcapil-malam", PENDUDUK, civil_registry),
        await _send(accounts.buses["pajak"], feeds / "pajak-setoran", SETORAN, tax_payments),
    ]
    before = len(_issued(answers))
    await run_outbound(answers, receiver, asyncio.Event(), once=True)
    issued = _issued(answers)
    return sent, issued[: len(issued) - before]


def furnish(folder: Path, type: str, feed: str = "feed.toml") -> Feed:
    """A feed's folder, with layout and copybook as they stand beside the contract."""
    folder.mkdir(parents=True, exist_ok=True)
    contract = SCHEMAS / type.split(".")[2] / type
    version = contract / "versions" / "1"
    for file in (version / "layout.toml", *version.glob("*.cpy")):
        shutil.copy(file, folder / file.name)
    shutil.copy(contract / feed, folder / "feed.toml")
    return read_feed(folder)


def table(sent: list[Sent], issued: list[Issue]) -> Table:
    """What became of the files."""
    found = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("batch file", "outcome", "records", "published", "rejected"):
        found.add_column(name, justify="left" if name in ("batch file", "outcome") else "right")
    for file in (each.file for each in sent):
        counts = (file.records, file.published, file.rejected)
        found.add_row(file.name, str(file.outcome), *map(str, counts))
    for issue in issued:
        found.add_row(issue.name, "issued", str(issue.records), "", "")
    return found


def reasons(sent: list[Sent]) -> Iterator[str]:
    """Why records were rejected, without what stands in them."""
    for each in sent:
        for reject in each.rejects:
            fault = reject.faults[0]
            yield f"{each.file.name}, record {reject.number}: {fault.field} {fault.code}"
            yield f"    {fault.advice}"


async def _send(bus: Nusabus, folder: Path, type: str, make: Make) -> Sent:
    feed = furnish(folder, type)
    batch = make(_next_serial(folder), date.today())  # noqa: DTZ011  (as a ministry's clock says)
    file = folder / batch.name
    file.write_bytes(batch.content(feed))
    submit(feed, file)
    file.unlink()
    files = await watch(feed, Sender(bus), asyncio.Event(), once=True)
    found = next(each for each in reversed(files) if each.name == batch.name)
    journal = Journal(folder)
    try:
        return Sent(found, list(journal.rejects(found.arrival)))
    finally:
        journal.close()


def _next_serial(folder: Path) -> int:
    journal = Journal(folder)
    try:
        day = date.today().isoformat()  # noqa: DTZ011
        return (journal.last_serial(day) or 0) + 1
    finally:
        journal.close()


def _issued(feed: Feed) -> list[Issue]:
    """Its files, the newest first."""
    spool = Spool(feed.folder)
    try:
        return spool.files()
    finally:
        spool.close()
