"""The backlog of a build: order, positions, and news of a restore between events."""

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence

import pytest

from adapters.client import StreamedEvent
from consumers.projection.feeds import OnRestored
from consumers.projection.received import Backlog, Received, Restored, parse_sequence


def streamed(sequence: str, position: str = "p", **more: str) -> StreamedEvent:
    event = {
        "specversion": "1.0", "id": sequence, "source": "/uji", "type": "a",
        "sequence": sequence, "recordedtime": "2026-11-30T00:00:00Z", **more,
    }  # fmt: skip
    return StreamedEvent(position, json.dumps(event))


class ListFeed:
    """Some events and news of a restore; then an error, or nothing more."""

    def __init__(self, items: Sequence[StreamedEvent | dict[str, object]], error: bool) -> None:
        self.items, self.error = items, error

    async def follow(
        self, after: str, on_restored: OnRestored
    ) -> AsyncGenerator[StreamedEvent, None]:
        for each in self.items:
            if isinstance(each, dict):
                on_restored(each)
            else:
                yield each
        if self.error:
            raise ConnectionError("cut")
        await asyncio.Event().wait()

    async def remove(self) -> None:
        """Nothing is to be removed."""


def text_of(shard: int, sequence: int) -> str:
    return f"{shard:02}-{sequence:016}"


async def test_the_position_follows_what_is_done_without_a_gap() -> None:
    items = [streamed(text_of(0, n), f"p{n}") for n in (1, 2, 3)]
    async with Backlog(ListFeed(items, error=False), "") as backlog:
        await backlog.wait(1)
        first, second, third = backlog.waiting()
        assert backlog.position_after({second}) == ""
        assert backlog.position_after({first, third}) == "p1"
        backlog.done({first, third})
        assert list(backlog.waiting()) == [second]
        assert backlog.position_after({second}) == "p3"
        backlog.done({second})
        assert list(backlog.waiting()) == []


async def test_news_of_a_restore_come_after_what_was_before() -> None:
    lost = {"lost": [{"first": text_of(0, 2), "last": text_of(0, 9)}]}
    items: list[StreamedEvent | dict[str, object]] = [
        streamed(text_of(0, 1), "p1"),
        dict(lost),
        streamed(text_of(0, 10), "p2"),
    ]
    async with Backlog(ListFeed(items, error=False), "") as backlog:
        await backlog.wait(1)
        assert backlog.restored is None
        [first] = backlog.waiting()
        backlog.done({first})
        restored = backlog.restored
        assert restored is not None
        assert not restored.concerns({"0": 1, "1": 5})
        assert restored.concerns({"0": 2})
        backlog.passed_restore()
        assert [each.position for each in backlog.waiting()] == ["p2"]


async def test_an_error_of_the_feed_is_raised_by_a_wait() -> None:
    items = [streamed(text_of(0, 1))]
    async with Backlog(ListFeed(items, error=True), "") as backlog:
        await backlog.wait(1)
        with pytest.raises(ConnectionError):
            await backlog.wait(1)


def test_nobody_knows_what_was_lost() -> None:
    assert Restored.of({"lost": []}).concerns({"0": 1})
    assert not Restored.of({}).concerns({})


@pytest.mark.parametrize("sequence", [None, "", "0-1", "00-1", 5, "00-00000000000000٣1"])
def test_an_event_without_its_place_is_refused(sequence: object) -> None:
    with pytest.raises(ValueError, match="no sequence"):
        parse_sequence(sequence)


def test_an_event_without_a_time_is_refused() -> None:
    with pytest.raises(ValueError, match="no recordedtime"):
        Received.of(streamed(text_of(0, 1), recordedtime="yesterday"))


def test_an_event_of_a_replay() -> None:
    assert Received.of(streamed(text_of(0, 1), replayof="x")).replayed
    received = Received.of(streamed(text_of(3, 17)))
    assert (received.shard, received.sequence, received.replayed) == ("3", 17, False)
