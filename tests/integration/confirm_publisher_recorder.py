"""A publisher and the results that it gets, for tests."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from gateway.base.event import Event
from gateway.broker import message
from gateway.broker.confirm_publisher import ConfirmPublisher
from gateway.broker.message import OutgoingMessage
from gateway.broker.pending_confirms import ConfirmResult

EXCHANGE, QUEUE, KEY = "test.publisher", "test.publisher.queue", "id.go.dukcapil.ktp.dibuat.v1"
STAMP = ("0/1", "2026-05-04T03:02:01Z", "dukcapil", "internal")
BATCH = 500


class Recorder:
    """A publisher and everything that it reported."""

    def __init__(self) -> None:
        self.results: list[ConfirmResult] = []

    @asynccontextmanager
    async def open(self, url: str, confirm_timeout: float = 60) -> AsyncIterator[ConfirmPublisher]:
        publisher = await ConfirmPublisher.open(
            url, on_results=self.results.extend, confirm_timeout=confirm_timeout, name="test"
        )
        try:
            yield publisher
        finally:
            await publisher.close()

    async def has(self, count: int) -> list[ConfirmResult]:
        """Wait until there are so many results."""
        await until(lambda: len(self.results) >= count)
        return self.results


async def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    async with asyncio.timeout(seconds):
        while True:
            if condition():
                return
            await asyncio.sleep(0.01)


def a_message(token: object, **changes: Any) -> OutgoingMessage:
    event = Event(
        id=str(token), source="/dukcapil", type=KEY, subject="3171", data=b'{"nik":"3171"}'
    )
    body, headers = message.body(event, *STAMP), message.headers(event, *STAMP)
    return OutgoingMessage(EXCHANGE, KEY, True, (), body, event.id, headers, token)._replace(
        **changes
    )
