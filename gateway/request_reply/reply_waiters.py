"""Calls in this process that wait for a reply, and how they learn that it has come.

Three ways, of which each is enough: this process stored the reply, another process announced it, or
a look at the journal finds it.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from gateway.base.periodic import periodic
from gateway.base.stop import Stop
from gateway.base.waiting import WakeUp
from gateway.journal import Entry, JournalReader
from gateway.request_reply.pairing import reply_identity

LOOK = 0.25  # seconds between two looks for replies that were not announced


class ReplyWaiter:
    """One call that waits for one reply."""

    def __init__(self) -> None:
        self.reply: asyncio.Future[Entry] = asyncio.get_running_loop().create_future()
        self.request: Entry | None = None
        """The request, once it is stored."""

    async def wait(self, seconds: float) -> Entry | None:
        """The reply, once it is there; None after so many seconds."""
        if seconds > 0:
            await asyncio.wait({self.reply}, timeout=seconds)
        return self.reply.result() if self.reply.done() and not self.reply.cancelled() else None


class ReplyWaiters:
    """All waiting calls, by the identity of their request."""

    def __init__(self, reader: JournalReader) -> None:
        self._reader = reader
        self._waiters: dict[bytes, set[ReplyWaiter]] = {}
        self._announced: set[bytes] = set()
        self._wake = WakeUp()
        self._ended = False

    @contextmanager
    def of(self, request: bytes) -> Iterator[ReplyWaiter]:
        """Wait in here. Begun before the request is stored, it misses no reply."""
        waiter = ReplyWaiter()
        if self._ended:
            waiter.reply.cancel()
        self._waiters.setdefault(request, set()).add(waiter)
        try:
            yield waiter
        finally:
            others = self._waiters[request]
            others.discard(waiter)
            if not others:
                del self._waiters[request]

    def announce(self, request: bytes) -> None:
        """Another process has stored a reply to this request."""
        if request in self._waiters:
            self._announced.add(request)
            self._wake.set()

    def request(self, request: bytes) -> Entry | None:
        """The entry of a request that a call waits on here; None without such a call."""
        return next((w.request for w in self._waiters.get(request, ()) if w.request), None)

    def deliver(self, request: bytes, reply: Entry) -> bool:
        """Hand the reply to the calls that wait for it here. True if there was one."""
        waiters = self._waiters.get(request, ())
        for waiter in waiters:
            if not waiter.reply.done():
                waiter.reply.set_result(reply)
        return bool(waiters)

    async def run(self, stop: Stop) -> None:
        """Look for replies until stopped; then no call waits any more.

        At once for a reply that was announced, else every 0.25 s for all.
        """
        try:
            await periodic("request_reply.waiters", self._look, LOOK, stop, wake=self._wake)
        finally:
            self._ended = True
            for waiter in [each for waiters in self._waiters.values() for each in waiters]:
                waiter.reply.cancel()

    async def _look(self) -> None:
        announced, self._announced = self._announced, set()
        wanted = announced & self._waiters.keys() or self._waiters.keys()
        requests = {reply_identity(each): each for each in wanted}
        if requests:
            for identity, reply in (await self._reader.find_all(requests)).items():
                self.deliver(requests[identity], reply)
