"""A feed waits as long as an overloaded gateway asks, and sends the same batch again."""

import asyncio
from typing import Any

import httpx
import pytest

from adapters.client import Problem
from adapters.legacy_cobol.transfer.sender import Sender


class Overloaded:
    """A gateway that refuses a few times."""

    def __init__(self, *refusals: Problem) -> None:
        self._refusals = list(refusals)
        self.contents: list[bytes] = []

    async def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        self.contents.append(more["content"])
        if self._refusals:
            raise self._refusals.pop(0)
        return httpx.Response(
            207, json={"results": [{"status": 202, "receipt": {"duplicate": False}}]}
        )


@pytest.mark.parametrize("status", [429, 503])
async def test_retry_after_is_waited_for(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    bus: Any = Overloaded(*(Problem(status, "overloaded", "Busy", retry_after=s) for s in (1, 3)))
    answers = await Sender(bus, first_delay=0.1).send([b"{}"], lambda _: None)
    assert answers == [False]
    assert bus.contents == [b"[{}]"] * 3
    assert [int(pause) for pause in pauses] == [1, 3]
