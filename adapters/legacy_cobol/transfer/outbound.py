"""An outbound feed: pull events, spool and acknowledge them, write them to files."""

import asyncio
import json
import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import structlog

from adapters.client import Nusabus, Problem
from adapters.client.call_retry import UNSETTLED
from adapters.legacy_cobol.mapping.codecs import encoder_of
from adapters.legacy_cobol.records.segments import SegmentTree
from adapters.legacy_cobol.transfer import metrics
from adapters.legacy_cobol.transfer.feed import Feed
from adapters.legacy_cobol.transfer.folders import (
    OUT_FOLDERS,
    REJECTS,
    create_folders,
    locked,
    write,
)
from adapters.legacy_cobol.transfer.issuer import FileIssuer
from adapters.legacy_cobol.transfer.spool import (
    Issue,
    IssueState,
    Spool,
    SpooledEvent,
    identity_of,
)

MOST = 500  # events in one call
WAIT = 10.0  # seconds that a call waits for the first event
RETRY_DELAY = 5.0  # seconds after a failure
ROTATED = "rotated"
_DIGITS = 1000
_CONFLICT = 409
KEPT = timedelta(days=400)  # identities of received events, to recognise duplicates


class OutboundFeed:
    """One outbound feed. The caller holds its lock."""

    def __init__(self, feed: Feed, spool: Spool, bus: Nusabus) -> None:
        self._feed = feed
        self._spool = spool
        self._bus = bus
        self._issuing = FileIssuer(feed, spool)
        self._encoder = encoder_of(feed.layout, feed.framing)
        segments = [each.segment for each in feed.layout.records if each.segment is not None]
        self._assembly = SegmentTree(segments)
        self._kinds = {each.type: name for name, each in feed.events.items()}
        self._path = f"/v1/subscriptions/{feed.subscription}"

    async def subscribe(self) -> None:
        """Create the subscription, or take the one that is there, wherever it started.

        Raises Problem if that one is not pulled in order, or has not the types of this feed.
        """
        body = {"types": sorted(self._kinds), "delivery": "pull", "ordered": True}
        try:
            await self._bus.call("PUT", self._path, json=body)
        except Problem as problem:
            if problem.status != _CONFLICT:
                raise
            found = await self._bus.call("GET", self._path)
            if any(found.get(key) != value for key, value in body.items() if key != "types"):
                raise
            if set(found.get("types", ())) != set(self._kinds):
                raise

    async def receive(self, wait: float = WAIT) -> int:
        """Receive events into the spool, then acknowledge them. Returns how many."""
        answer = await self._bus.request(
            "POST", f"{self._path}/receive", json={"max": MOST, "wait": wait}
        )
        found = json.loads(answer.content, parse_float=Decimal, parse_int=_integer)["events"]
        if not found:
            return 0
        good, bad = self._encoded([each["event"] for each in found])
        with self._spool.change():
            self._spool.add(good)
            for event, reason in bad:
                self._spool.refuse(event, reason)
        refused = {(event["source"], event["id"]): reason for event, reason in bad}
        await self._settle(found, refused)
        if bad:
            self._report()
        return len(found)

    def rotate(self, now: datetime) -> list[Issue]:
        """Issue the files that are due."""
        issues = []
        rotation = self._feed.rotation
        while rotation.is_full(*self._spool.waiting()):
            issues.append(self._issuing.close(now))
        last = rotation.last_time(now)
        before = self._spool.mark(ROTATED)
        if last is None or last.isoformat() == before:
            return issues
        while before and (self._spool.waiting()[0] or (rotation.empty and not issues)):
            issues.append(self._issuing.close(now))
        with self._spool.change():
            self._spool.set_mark(ROTATED, last.isoformat())
            self._spool.forget_identities((now - KEPT).date().isoformat())
        return issues

    def reason(self, issue: Issue) -> str:
        """Why a file was stopped; empty if it was not."""
        return self._spool.stop_reason(issue.number)

    def recover(self) -> list[Issue]:
        """Resume a file that was not finished."""
        left = self._spool.unfinished()
        return [] if left is None else [self._issuing.resume(left)]

    def close_now(self, now: datetime) -> list[Issue]:
        """Issue files of all waiting records."""
        issues = []
        while self._spool.waiting()[0]:
            issues.append(self._issuing.close(now))
        return issues

    def _encoded(
        self, events: Sequence[dict[str, Any]]
    ) -> tuple[list[SpooledEvent], list[tuple[dict[str, Any], str]]]:
        good, bad = [], []
        for event in events:
            kind, data = self._kinds.get(event["type"]), event.get("data")
            if kind is None or not isinstance(data, dict):
                bad.append((event, f"this feed has no record for {event['type']}"))
                continue
            try:
                good.append(self._spooled(event, kind, data))
            except _FitsNoRecord as error:
                bad.append((event, str(error)))
            except Exception as error:  # a defect costs this event alone
                log = structlog.get_logger()
                log.error("legacy.event_failed", feed=self._feed.name, error=type(error).__name__)
                bad.append((event, f"the feed failed on it ({type(error).__name__})"))
        return good, bad

    def _spooled(self, event: dict[str, Any], kind: str, data: dict[str, Any]) -> SpooledEvent:
        """The records of an event. Raises _FitsNoRecord."""
        parts = list(self._assembly.split(kind, data))
        encoded = self._encoder.encode(
            [document for _, document in parts], [name for name, _ in parts]
        )
        records = tuple(each for each in encoded.records if each is not None)
        if len(records) < len(parts):
            faults = [str(fault) for found in encoded.faults.values() for fault in found]
            raise _FitsNoRecord("; ".join(faults))
        text = json.dumps(data, default=str)
        return SpooledEvent(identity_of(event), kind, text, records)

    async def _settle(
        self, found: Sequence[dict[str, Any]], refused: dict[tuple[str, str], str]
    ) -> None:
        """Acknowledge spooled events, and reject those that fit no record, with the reason."""
        good = []
        for each in found:
            event = each["event"]
            reason = refused.get((event["source"], event["id"]))
            if reason is None:
                good.append(each["token"])
            else:
                body = {"tokens": [each["token"]], "reason": _one_line(reason)}
                await self._bus.call("POST", f"{self._path}/reject", json=body)
        if good:
            await self._bus.call("POST", f"{self._path}/acknowledge", json={"tokens": good})

    def _report(self) -> None:
        lines = (json.dumps(each).encode() + b"\n" for each in self._spool.refused())
        write(self._feed.folder / REJECTS / "refused.jsonl", lines)


async def run_outbound(
    feed: Feed, bus: Nusabus, stop: asyncio.Event, *, once: bool = False
) -> None:
    """Run an outbound feed until `stop`, or with `once` until nothing is left to receive.

    Raises FeedBusy, and with `once` a Problem that trying again does not mend. A kill loses and
    repeats nothing.
    """
    create_folders(feed.folder, OUT_FOLDERS)
    with locked(feed.folder):
        spool = Spool(feed.folder)
        try:
            outgoing = OutboundFeed(feed, spool, bus)
            async with metrics.written_periodically(lambda: metrics.outgoing(feed, spool)):
                await _run_outbound(feed.name, outgoing, stop, once=once)
        finally:
            spool.close()


async def _run_outbound(
    feed: str, outgoing: OutboundFeed, stop: asyncio.Event, *, once: bool
) -> None:
    log = structlog.get_logger()
    known = False
    while not stop.is_set():
        try:
            issues = outgoing.recover()
            if not known:
                await outgoing.subscribe()
                known = True
            count = await outgoing.receive(wait=0.5 if once else WAIT)
            issues += outgoing.rotate(datetime.now(UTC))
            if once and not count:
                issues += outgoing.close_now(datetime.now(UTC))
                stop.set()
        except (Problem, httpx.TransportError) as error:
            if once and isinstance(error, Problem) and error.status not in UNSETTLED:
                raise  # a person has to change something first
            log.warning("legacy.gateway_lost", feed=feed, reason=str(error))
        except (OSError, sqlite3.Error) as error:  # a disk is full, a folder is not writable
            if once:
                raise
            log.error("legacy.feed_delayed", feed=feed, reason=_reason(error))
        else:
            for each in issues:
                _log(feed, each, outgoing.reason(each))
            continue
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(stop.wait(), RETRY_DELAY)


def _log(feed: str, issue: Issue, reason: str) -> None:
    log = structlog.get_logger()
    about = {"feed": feed, "file": issue.name, "records": issue.records}
    if issue.state is IssueState.STOPPED:
        log.error("legacy.file_stopped", number=issue.number, reason=reason, **about)
    else:
        log.info("legacy.file_issued", **about)


def _reason(error: OSError | sqlite3.Error) -> str:
    """What is wrong, without the name of a file."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


class _FitsNoRecord(ValueError):
    """An event has no form in the records of the feed; the text says why."""


def _integer(text: str) -> int | Decimal:
    """An integer of any length: Python refuses to read a long one, which a publisher may send."""
    return int(text) if len(text) <= _DIGITS else Decimal(text)


def _one_line(text: str) -> str:
    return "".join(each if each.isprintable() else "?" for each in text)[:500]
