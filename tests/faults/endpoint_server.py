"""A small HTTP/1.1 server, for endpoints that misbehave: it can hang up instead of an answer."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

import h11

from deploy.local.ports import LOOPBACK


@dataclass(frozen=True, slots=True)
class Call:
    """A request."""

    method: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer without a body."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)


Respond = Callable[[Call], Awaitable[Reply | None]]
"""None hangs up. Is cancelled where the caller has hung up."""


class EndpointServer:
    """Serves on a loopback port of its own."""

    def __init__(self, respond: Respond, tls: ssl.SSLContext | None = None) -> None:
        self._respond = respond
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None]] = set()

    async def open(self) -> int:
        """Begin to listen; returns the port."""
        self._server = await asyncio.start_server(self._accept, LOOPBACK, 0, ssl=self._tls)
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Hang up everywhere and listen no more."""
        if self._server is not None:
            self._server.close()
        serving = list(self._serving)
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        http = h11.Connection(h11.SERVER)
        try:
            while (call := await _read(http, reader)) is not None:
                reply = await self._answer(call, reader)
                if reply is None:
                    return
                head = h11.Response(
                    status_code=reply.status,
                    headers=[*reply.headers.items(), ("content-length", "0")],
                )
                for event in (head, h11.EndOfMessage()):
                    writer.write(http.send(event) or b"")
                await writer.drain()
                http.start_next_cycle()
        except (OSError, h11.ProtocolError):
            pass  # who called is gone
        finally:
            writer.transport.abort()

    async def _answer(self, call: Call, reader: asyncio.StreamReader) -> Reply | None:
        """What is to be answered; None as well where the caller hangs up before that."""
        answers = asyncio.ensure_future(self._respond(call))
        leaving = asyncio.create_task(reader.read(1))  # nobody sends more before an answer
        try:
            await asyncio.wait({answers, leaving}, return_when=asyncio.FIRST_COMPLETED)
            return await answers if answers.done() else None
        finally:
            for task in (answers, leaving):
                task.cancel()
                with suppress(asyncio.CancelledError, OSError):
                    await task


async def _read(http: h11.Connection, reader: asyncio.StreamReader) -> Call | None:
    """The next request; None where the connection ends."""
    head: h11.Request | None = None
    body = b""
    while True:
        event = http.next_event()
        if event is h11.NEED_DATA:
            http.receive_data(await reader.read(1 << 16))
        elif isinstance(event, h11.Request):
            head = event
        elif isinstance(event, h11.Data):
            body += bytes(event.data)
        elif isinstance(event, h11.EndOfMessage) and head is not None:
            headers = {name.decode(): value.decode() for name, value in head.headers}
            return Call(head.method.decode(), headers, body)
        else:
            return None
