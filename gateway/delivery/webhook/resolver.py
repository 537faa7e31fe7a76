"""Looks up names in threads of its own: a name server that hangs costs its organisation alone.

`getaddrinfo` can be given no time limit and cannot be stopped. A look-up that nobody waits for any
more keeps its thread until the resolver of the machine gives up, and counts until then.
"""

import asyncio
import socket
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from threading import Thread
from typing import Any

from gateway.delivery.webhook.addresses import Address, AddressProhibited, literal

RESOLVE = 5.0  # seconds, with the wait for a thread
THREADS = 64
SHARE = 4  # threads of one organisation

Resolve = Callable[[str], Coroutine[Any, Any, list[Address]]]


class Resolver:
    """Looks up names for all endpoints of a process."""

    def __init__(self, look_up: Callable[[str], list[Address]] | None = None) -> None:
        """`look_up` runs in a thread and may take long; the machine's resolver if not given."""
        self._look_up = look_up or _look_up
        self._threads = asyncio.Semaphore(THREADS)
        self._shares: dict[str, asyncio.Semaphore] = {}
        self._running: dict[tuple[str, str], asyncio.Task[list[Address]]] = {}

    def of(self, organisation: str) -> Resolve:
        """The look-ups of one organisation, see `resolve`."""
        return partial(self.resolve, organisation)

    async def resolve(self, organisation: str, host: str) -> list[Address]:
        """The addresses of a name. Raises OSError, also after RESOLVE seconds."""
        key = organisation, host
        running = self._running.get(key)
        if running is None:
            running = self._running[key] = asyncio.create_task(self._run(organisation, host))
            running.add_done_callback(partial(self._ended, key))
        async with asyncio.timeout(RESOLVE):
            return await asyncio.shield(running)

    async def _run(self, organisation: str, host: str) -> list[Address]:
        share = self._shares.setdefault(organisation, asyncio.Semaphore(SHARE))
        async with share, self._threads:
            return await self._in_thread(host)

    async def _in_thread(self, host: str) -> list[Address]:
        """In a daemon: the end of the process does not wait for a name server."""
        loop = asyncio.get_running_loop()
        found: asyncio.Future[list[Address]] = loop.create_future()

        def run() -> None:
            try:
                tell = partial(found.set_result, self._look_up(host))
            except Exception as error:
                tell = partial(found.set_exception, error)
            with suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(lambda: found.done() or tell())

        Thread(target=run, name="resolve", daemon=True).start()
        return await found

    def _ended(self, key: tuple[str, str], task: "asyncio.Task[list[Address]]") -> None:
        del self._running[key]
        if not task.cancelled():
            task.exception()  # perhaps nobody waits for it any more


def _look_up(host: str) -> list[Address]:
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    addresses = {literal(str(each[4][0])): None for each in found}
    if None in addresses:  # such as one with a zone
        raise AddressProhibited("its address must not be called")
    return [address for address in addresses if address is not None]
