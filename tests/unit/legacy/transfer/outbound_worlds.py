"""Working a feed in a test."""

import asyncio
from typing import Any

from adapters.legacy_cobol.transfer.feed import Feed
from adapters.legacy_cobol.transfer.journal import File, FileOutcome
from adapters.legacy_cobol.transfer.watcher import watch
from tests.legacy_feeds import (
    FakeGateway,
    a_sender,
)


async def work(feed: Feed, gateway: FakeGateway | None = None) -> list[File]:
    """Take what is there."""
    return await watch(feed, a_sender(gateway or FakeGateway()), asyncio.Event(), once=True)


async def outcome(feed: Feed, gateway: FakeGateway | None = None) -> tuple[FileOutcome | None, str]:
    """Of the only file that is there."""
    (file,) = await work(feed, gateway)
    return file.outcome, file.reason


def names(feed: Feed, folder: str) -> list[str]:
    return sorted(each.name for each in (feed.folder / folder).iterdir())


def refusing(number: int, code: str = "contract-violation", status: int = 422) -> FakeGateway:
    """A gateway that does not want the event of one record."""

    def answer_for(event: dict[str, Any]) -> dict[str, Any] | None:
        if not event["id"].endswith(f"-{number}"):
            return None
        violations = [{"pointer": "/amount", "keyword": "pattern", "message": "too much"}]
        about = {"type": f"x/{code}", "title": "No", "status": status, "detail": "so"}
        return {**about, "violations": violations}

    return FakeGateway(answer_for)
