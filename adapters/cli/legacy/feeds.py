"""`send`, `watch`, `status` and `reissue`: run feeds."""

import asyncio
import logging
import sqlite3
import sys
from collections.abc import Callable, Coroutine
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import structlog
import typer

from adapters.cli import screen
from adapters.cli.exits import Exit, Failure
from adapters.cli.flags import AsJson, ProfileName
from adapters.cli.legacy.progress import Bar
from adapters.cli.legacy.rehearsals import show_rehearsal
from adapters.cli.session import over, until_signal
from adapters.client import Nusabus
from adapters.legacy_cobol.copybook.errors import CopybookError
from adapters.legacy_cobol.mapping.section import LayoutError
from adapters.legacy_cobol.transfer.feed import Direction, Feed, read_feed
from adapters.legacy_cobol.transfer.folders import FeedBusy, is_busy
from adapters.legacy_cobol.transfer.incoming import complete_files, submit
from adapters.legacy_cobol.transfer.issuer import ControlRefused, FileIssuer
from adapters.legacy_cobol.transfer.journal import FILE, File, FileState, Journal
from adapters.legacy_cobol.transfer.outbound import run_outbound
from adapters.legacy_cobol.transfer.sender import ONCE, Sender
from adapters.legacy_cobol.transfer.spool import FILE as SPOOL
from adapters.legacy_cobol.transfer.spool import IssueState, Spool
from adapters.legacy_cobol.transfer.watcher import watch as watch_feed

app = typer.Typer()
FeedFolder = Annotated[
    Path,
    typer.Argument(metavar="FEED", help="Folder of the feed, with feed.toml.", file_okay=False),
]
POLL = 0.3  # seconds between two reads of the journal


@app.command()
def watch(
    feed: FeedFolder,
    once: Annotated[bool, typer.Option("--once", help="Exit when nothing is left to do.")] = False,
    polling: Annotated[
        bool,
        typer.Option("--polling", help="Scan the folder periodically: for network file systems."),
    ] = False,
    profile: ProfileName = "default",
) -> int:
    """Run a feed until Ctrl-C or SIGTERM: publish its files, or write its events to files.

    It may be killed at any moment; the next start resumes. With --once, exit code 2 means that a
    file was not published.
    """
    found = _feed(feed)
    _log_to_stderr()

    async def work(bus: Nusabus, stop: asyncio.Event) -> list[File]:
        if found.direction is Direction.OUT:
            await run_outbound(found, bus, stop, once=once)
            return []
        return await watch_feed(found, Sender(bus), stop, once=once, polling=polling)

    files = _run(profile, work)
    return Exit.OK if all(each.outcome and each.outcome.is_published for each in files) else (
        Exit.CHANGES
    )  # fmt: skip


@app.command()
def send(
    file: Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False)],
    feed: Annotated[Path, typer.Option("--feed", help="Folder of the feed.", file_okay=False)],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would happen; send nothing.")
    ] = False,
    as_json: AsJson = False,
    profile: ProfileName = "default",
) -> int:
    """Send one file through a feed, and wait for its outcome.

    If a watcher runs the feed, it does the work, else this command. Exit code 0: all records are
    published. 2: some are not.
    """
    found = _feed(feed)
    if found.direction is Direction.OUT:
        raise Failure(f"{feed} is an outbound feed. `send` needs an inbound feed.")
    if dry_run:
        return show_rehearsal(found, file, as_json=as_json)
    _log_to_stderr(logging.CRITICAL)  # the outcome is printed
    before = _newest(feed)
    submit(found, file)
    busy = is_busy(feed)
    with Bar(file, quiet=as_json) as progress:
        if busy:
            ended = asyncio.run(_follow(feed, file.name, before, progress))
        else:
            ended = _run_feed(found, file.name, before, progress, profile)
    _show(ended, as_json=as_json)
    return Exit.OK if ended.outcome and ended.outcome.is_published and not ended.rejected else (
        Exit.CHANGES
    )  # fmt: skip


@app.command()
def status(
    feed: FeedFolder,
    most: Annotated[int, typer.Option(help="Maximum number of files to show.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Show the files of a feed with their states, and what they are waiting for."""
    found = _feed(feed)
    busy = is_busy(feed) if feed.is_dir() else False
    if found.direction is Direction.OUT:
        _outbound(feed, most, busy=busy, as_json=as_json)
        return
    files, counts, sums = _journalled(feed, most)
    incoming = feed / "incoming"
    waiting = [each.name for each in complete_files(found)] if incoming.is_dir() else []
    if as_json:
        listed = [asdict(each) for each in files]
        about = {"feed": found.name, "watched": busy, "waiting": waiting, "files": counts}
        screen.print_json(about | {"records": sums, "journal": listed})
        return
    out = screen.out()
    out.print(f"[bold]{screen.safe(found.name)}[/], {'watched' if busy else 'not watched'}")
    out.print(f"{len(waiting)} waiting in incoming/")
    out.print("; ".join(f"{name.lower()} {count}" for name, count in counts.items()) or "no files")
    for each in files:
        out.print(_line(each), markup=False)


@app.command()
def reissue(
    feed: FeedFolder, number: Annotated[int, typer.Argument(help="Number of the file.", min=1)]
) -> None:
    """Copy an issued file to outgoing/ again, byte by byte, or write a file that was stopped."""
    found = _feed(feed)
    try:
        spool = Spool(feed)
        try:
            path = FileIssuer(found, spool).reissue(number)
        finally:
            spool.close()
    except ControlRefused as refused:
        raise Failure(str(refused)) from None
    except KeyError:
        raise Failure(
            f"{feed} has not issued a file {number}. `nusabus legacy status` lists the numbers."
        ) from None
    screen.out().print(f"reissued: {path}", markup=False)


def _feed(folder: Path) -> Feed:
    try:
        return read_feed(folder)
    except (LayoutError, CopybookError, ValueError) as error:
        raise Failure(str(error)) from None


def _run(
    profile: str, work: Callable[[Nusabus, asyncio.Event], Coroutine[Any, Any, list[File]]]
) -> list[File]:
    """Run a feed over a connection. A signal ends it, and the list is empty then."""

    async def run(bus: Nusabus) -> list[File]:
        stop = asyncio.Event()
        return await until_signal(work(bus, stop), stop.set) or []

    try:
        return over(profile, run, retry=ONCE)
    except FeedBusy as error:
        raise Failure(str(error)) from None
    except (OSError, sqlite3.Error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise Failure(
            f"The folder of the feed cannot be written: {reason}. Make room or mend its "
            "permissions, and start the feed again; it goes on where it was."
        ) from None


def _run_feed(feed: Feed, name: str, before: int, progress: Bar, profile: str) -> File:
    """Run the feed in this process."""

    async def work(bus: Nusabus, stop: asyncio.Event) -> list[File]:
        return await watch_feed(feed, Sender(bus), stop, once=True, progress=progress.show)

    mine = [f for f in _run(profile, work) if f.name == name and f.arrival > before]
    if not mine:
        raise Failure(f"{name} has no outcome yet. `nusabus legacy status` shows its state.")
    return mine[-1]


async def _follow(folder: Path, name: str, before: int, progress: Bar) -> File:
    """Follow the work of a watcher."""
    while True:
        for each in _journalled(folder, 100)[0]:
            if each.name == name and each.arrival > before:
                progress.show(each, each.position.offset if each.position else 0)
                if each.state is FileState.FINISHED:
                    return each
        await asyncio.sleep(POLL)


def _newest(folder: Path) -> int:
    files = _journalled(folder, 1)[0]
    return files[0].arrival if files else 0


def _journalled(folder: Path, most: int) -> tuple[list[File], dict[str, int], dict[str, int]]:
    if not (folder / FILE).exists():
        return [], {}, {}
    journal = Journal(folder)
    try:
        return journal.files(most), journal.count(), journal.sums()
    finally:
        journal.close()


def _show(file: File, *, as_json: bool) -> None:
    if as_json:
        screen.print_json(asdict(file))
        return
    screen.out().print(_line(file), markup=False)
    for total in file.totals:
        mark = "agrees" if total["agrees"] else "DIFFERS"
        if total["unknown"] and total["agrees"]:
            mark = f"not proven, unreadable records: {total['unknown']}"
        screen.out().print(
            f"  {total['name']}: sender {total['stated']}, found {total['found']}: {mark}",
            markup=False,
        )


def _line(file: File) -> str:
    state = str(file.outcome) if file.state is FileState.FINISHED else str(file.state)
    note = file.note or file.reason
    return (
        f"{file.arrival:>6} {file.received} {state:<10} {file.published:>11,} of "
        f"{file.records:>11,} published, {file.rejected:,} rejected  {file.name}"
        + (f"  ({note})" if note else "")
    )


def _outbound(folder: Path, most: int, *, busy: bool, as_json: bool) -> None:
    issues, waiting, refused, stopped = [], (0, 0), [], {}
    if (folder / SPOOL).exists():
        spool = Spool(folder)
        try:
            issues, waiting, refused = spool.files()[:most], spool.waiting(), spool.refused()
            states = {each.number: each.state for each in issues}
            stopped = {
                number: spool.stop_reason(number)
                for number, state in states.items()
                if state is IssueState.STOPPED
            }
        finally:
            spool.close()
    if as_json:
        listed = [asdict(each) for each in issues]
        about: dict[str, Any] = {"watched": busy, "waiting_records": waiting[0]}
        about["stopped"] = {str(number): reason for number, reason in stopped.items()}
        screen.print_json(about | {"refused": refused, "files": listed})
        return
    out = screen.out()
    out.print(f"{'watched' if busy else 'not watched'}; {waiting[0]:,} records wait for a file")
    if refused:
        out.print(f"{len(refused)} events fit no record, see rejects/refused.jsonl")
    for each in issues:
        out.print(
            f"{each.number:>6} {each.closed} {each.state:<8} {each.records:>11,} records  "
            f"{each.name}"
            + (f"  (issued {each.issues} times)" if each.issues > 1 else "")
            + (f"  ({stopped[each.number]})" if each.number in stopped else ""),
            markup=False,
        )


def _log_to_stderr(level: int = logging.INFO) -> None:
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
    )
