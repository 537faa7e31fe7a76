"""A TCP proxy that can read along, and cut a connection at a point of the conversation."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol

from deploy.local.ports import LOOPBACK, free_port

CONNECT = 3.0


class Cut(Exception):
    """Raised by a watch: end this connection now, and pass nothing more on."""


class Watch(Protocol):
    """Follows one connection. Sees every byte before it is passed on; may raise Cut."""

    def up(self, data: bytes) -> None:
        """From the client to the server."""

    def down(self, data: bytes) -> None:
        """From the server to the client."""


class NoWatch:
    """Watches nothing."""

    def up(self, data: bytes) -> None:
        """Nothing to see."""

    def down(self, data: bytes) -> None:
        """Nothing to see."""


class Proxy:
    """Passes connections on to the first of some loopback ports that accepts them."""

    def __init__(self, targets: Sequence[int], watch: Callable[[], Watch] = NoWatch) -> None:
        self.port = free_port()
        self._targets = targets
        self._watch = watch
        self._server: asyncio.Server | None = None
        self._links: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Begin to listen."""
        self._server = await asyncio.start_server(self._accept, LOOPBACK, self.port)

    async def close(self) -> None:
        """Cut everything and listen no more."""
        if self._server is not None:
            self._server.close()
        await self.sever()

    async def sever(self) -> int:
        """Cut every connection with a reset; returns how many there were."""
        links = list(self._links)
        for link in links:
            link.cancel()
        await asyncio.gather(*links, return_exceptions=True)
        return len(links)

    @property
    def links(self) -> int:
        """The connections that pass through it now."""
        return len(self._links)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._server is None or not self._server.is_serving():
            writer.transport.abort()
            return
        link = asyncio.create_task(self._link(reader, writer))
        self._links.add(link)
        link.add_done_callback(self._links.discard)
        # Also if it is cut before it has begun, when nothing in it runs.
        link.add_done_callback(lambda _: writer.transport.abort())

    async def _link(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers = [writer]
        try:
            server_reader, server_writer = await self._connect()
            writers.append(server_writer)
            watch = self._watch()
            flows = {
                asyncio.create_task(_pass(reader, server_writer, watch.up)),
                asyncio.create_task(_pass(server_reader, writer, watch.down)),
            }
            try:
                await asyncio.wait(flows, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for flow in flows:
                    flow.cancel()
                await asyncio.gather(*flows, return_exceptions=True)
        except (OSError, TimeoutError):
            pass  # the server is away: so the client finds it
        finally:
            for each in writers:
                each.transport.abort()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        *others, last = self._targets
        for target in others:
            with suppress(OSError):
                return await asyncio.open_connection(LOOPBACK, target)
        async with asyncio.timeout(CONNECT):
            return await asyncio.open_connection(LOOPBACK, last)


async def _pass(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, see: Callable[[bytes], None]
) -> None:
    """Pass on what arrives until one side ends or the watch cuts."""
    try:
        while data := await reader.read(1 << 16):
            see(data)
            writer.write(data)
            await writer.drain()
    except (OSError, Cut):
        return
