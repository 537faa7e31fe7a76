"""Those who wait for a reply in this process, and how they learn that it has come.

Three ways, of which any is enough: the reply was stored by this process, another process says so,
or a look at the journal finds it.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from gateway.base.errors import Unavailable
from gateway.base.stop import Stop
from gateway.journal import Entry, JournalReader
from gateway.request_reply.pairing import reply_identity

LOOK = 0.25  # seconds between two looks for what nobody has told us of


class Waiter:
    """One call that waits for one reply."""

    def __init__(self) -> None:
        self.reply: asyncio.Future[Entry] = asyncio.get_running_loop().create_future()
        self.request: Entry | None = None
        """What is waited for an answer to, once it is stored."""

    async def wait(self, seconds: float) -> Entry | None:
        """The reply, once it is there; None after so many seconds."""
        if seconds > 0:
            await asyncio.wait({self.reply}, timeout=seconds)
        return self.reply.result() if self.reply.done() and not self.reply.cancelled() else None


class Waiting:
    """Everybody who waits, by the identity of the request."""

    def __init__(self, reader: JournalReader) -> None:
        self._reader = reader
        self._waiters: dict[bytes, set[Waiter]] = {}
        self._told: set[bytes] = set()
        self._due = asyncio.Event()
        self._ended = False

    @contextmanager
    def of(self, request: bytes) -> Iterator[Waiter]:
        """Wait in here. Begun before the request is stored, it misses nothing."""
        waiter = Waiter()
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

    def hear(self, request: bytes) -> None:
        """Somebody has answered this request."""
        if request in self._waiters:
            self._told.add(request)
            self._due.set()

    def request(self, request: bytes) -> Entry | None:
        """The entry of a request that somebody waits for here; None where nobody does."""
        return next((w.request for w in self._waiters.get(request, ()) if w.request), None)

    def give(self, request: bytes, reply: Entry) -> bool:
        """Here is the reply to this request. True if somebody has waited for it here."""
        waiters = self._waiters.get(request, ())
        for waiter in waiters:
            if not waiter.reply.done():
                waiter.reply.set_result(reply)
        return bool(waiters)

    async def run(self, stop: Stop) -> None:
        """Look for replies until stopped; then nobody waits any more.

        At once for what we were told of, else now and then.
        """
        try:
            while not stop:
                wanted = await self._wanted()
                with suppress(Unavailable):  # the next look may do better
                    await self._look(wanted)
        finally:
            self._ended = True
            for waiter in [each for waiters in self._waiters.values() for each in waiters]:
                waiter.reply.cancel()

    async def _wanted(self) -> set[bytes]:
        try:
            async with asyncio.timeout(LOOK):
                await self._due.wait()
        except TimeoutError:
            return set(self._waiters)
        self._due.clear()
        told, self._told = self._told, set()
        return told

    async def _look(self, wanted: set[bytes]) -> None:
        requests = {reply_identity(each): each for each in wanted if each in self._waiters}
        if requests:
            for identity, reply in (await self._reader.find_all(requests)).items():
                self.give(requests[identity], reply)
