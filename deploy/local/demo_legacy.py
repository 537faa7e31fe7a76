"""The batch files of `make run`: two come and become events, one goes back out."""

import asyncio
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from adapters.client import Nusabus
from adapters.legacy_cobol.transfer.dropping import drop
from adapters.legacy_cobol.transfer.feed import Feed, read_feed
from adapters.legacy_cobol.transfer.folders import FeedBusy
from adapters.legacy_cobol.transfer.journal import File, Journal
from adapters.legacy_cobol.transfer.outgoing import serve
from adapters.legacy_cobol.transfer.sending import Sender
from adapters.legacy_cobol.transfer.watching import watch
from deploy.local.credentials import Credentials
from deploy.local.demo_accounts import SCHEMAS, Accounts, open_accounts
from deploy.local.demo_env import DemoEnv
from deploy.local.demo_files import Batch, civil_registry, tax_payments

PENDUDUK = "id.go.dukcapil.penduduk.dimutakhirkan.v1"
SETORAN = "id.go.pajak.setoran.diterima.v1"
RECEIVER = "bps"
Make = Callable[[int, date], Batch]


async def run(url: str, operator: Credentials, folder: Path, console: Console) -> bool:
    """Play the batch files in `folder`/feeds, print what came of them; whether all went well.

    Safe to repeat: each run has files with the next serial.
    """
    env = DemoEnv(folder / "demo.env")
    feeds = folder / "feeds"
    async with open_accounts(url, operator, env) as accounts:
        await accounts.admin.grant(RECEIVER, "subscribe", SETORAN)
        try:
            files, issued = await perform(accounts, feeds)
        except FeedBusy as error:
            console.print(f"The batch files were left out: {error}", style="bold red")
            return False
    console.print(table(files, issued))
    console.print(f"The feeds are in {feeds}: acks/, rejects/ with reports, done/.", markup=False)
    return all(each.outcome and each.outcome.is_taken for each in files) and bool(issued)


async def perform(accounts: Accounts, feeds: Path) -> tuple[list[File], list[Path]]:
    """Send both files in; what goes back out."""
    answers = furnish(feeds / "bps-setoran", SETORAN, "feed-out.toml")
    receiver = accounts.buses[RECEIVER]
    wish = {"types": [SETORAN], "delivery": "pull", "ordered": True}
    await receiver.call("PUT", f"/v1/subscriptions/{answers.subscription}", json=wish)
    files = [
        await _send(accounts.buses["dukcapil"], feeds / "dukcapil-malam", PENDUDUK, civil_registry),
        await _send(accounts.buses["pajak"], feeds / "pajak-setoran", SETORAN, tax_payments),
    ]
    before = _outgoing(answers)
    await serve(answers, receiver, asyncio.Event(), once=True)
    return files, sorted(_outgoing(answers) - before)


def furnish(folder: Path, type: str, feed: str = "feed.toml") -> Feed:
    """A feed's folder, with layout and copybook as they stand beside the contract."""
    folder.mkdir(parents=True, exist_ok=True)
    contract = SCHEMAS / type.split(".")[2] / type
    for file in (contract / "layout.toml", *contract.glob("*.cpy")):
        shutil.copy(file, folder / file.name)
    shutil.copy(contract / feed, folder / "feed.toml")
    return read_feed(folder)


def table(files: list[File], issued: list[Path]) -> Table:
    """What became of the files."""
    found = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("batch file", "outcome", "records", "published", "rejected"):
        found.add_column(name, justify="left" if name in ("batch file", "outcome") else "right")
    for each in files:
        counts = (each.records, each.published, each.rejected)
        found.add_row(each.name, str(each.outcome), *map(str, counts))
    for path in issued:
        found.add_row(path.name, "issued", "", "", "")
    return found


async def _send(bus: Nusabus, folder: Path, type: str, make: Make) -> File:
    feed = furnish(folder, type)
    batch = make(_next_serial(folder), date.today())  # noqa: DTZ011  (as a ministry's clock says)
    file = folder / batch.name
    file.write_bytes(batch.content(feed))
    drop(feed, file)
    file.unlink()
    files = await watch(feed, Sender(bus), asyncio.Event(), once=True)
    return next(each for each in reversed(files) if each.name == batch.name)


def _next_serial(folder: Path) -> int:
    journal = Journal(folder)
    try:
        day = date.today().isoformat()  # noqa: DTZ011
        return (journal.last_serial(day) or 0) + 1
    finally:
        journal.close()


def _outgoing(feed: Feed) -> set[Path]:
    folder = feed.folder / "outgoing"
    return set(folder.iterdir()) if folder.is_dir() else set()
