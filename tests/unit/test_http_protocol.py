"""One connection of the HTTP server, over a transport that only remembers."""

import asyncio
import os
from typing import Any

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from gateway.base.defects import DEFECTS
from gateway.base.settings import Settings
from gateway.processes.connections import Connections
from gateway.processes.http_protocol import BoundedProtocol

GET = b"GET / HTTP/1.1\r\nHost: bus\r\n\r\n"


class Remembering(asyncio.Transport):
    """A transport of nobody."""

    def __init__(self) -> None:
        super().__init__()
        self.written, self.closing = b"", False
        self.socket: Any = None

    def write(self, data: Any) -> None:
        assert not self.closing, "written after the end"
        self.written += data

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        if name == "socket":
            return self.socket
        return ("127.0.0.1", 1) if name in ("peername", "sockname") else default

    def is_closing(self) -> bool:
        return self.closing

    def abort(self) -> None:
        self.closing = True

    def get_write_buffer_size(self) -> int:
        return 0

    def write_eof(self) -> None:
        """The other half stays open."""

    def resume_reading(self) -> None:
        """Nothing comes."""


class Waiting:
    """An application whose first request waits until its client is gone."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.begun = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.begun += 1
        self.seen += [(await receive())["type"], (await receive())["type"]]
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"x"})


async def settled() -> None:
    """All that is due now has run."""
    for _ in range(10):
        await asyncio.sleep(0)


def connected(application: Any) -> tuple[BoundedProtocol, Remembering]:
    limits = Settings.model_construct()
    config = uvicorn.Config(application, http=BoundedProtocol, lifespan="off", log_config=None)
    config.load()
    protocol = BoundedProtocol(
        limits=limits,
        connections=Connections(4, 4, lambda _: False),
        headers=b"",
        config=config,
        server_state=ServerState(),
        app_state={},
    )
    transport = Remembering()
    protocol.connection_made(transport)
    return protocol, transport


async def test_the_request_in_progress_learns_that_its_client_is_gone() -> None:
    """Not only the last one that came, which waits behind it and never begins."""
    application = Waiting()
    protocol, transport = connected(application)
    protocol.data_received(GET * 3)
    await settled()
    transport.closing = True
    protocol.connection_lost(None)
    await settled()
    assert (application.begun, application.seen) == (1, ["http.request", "http.disconnect"])
    assert transport.written == b""


async def test_nothing_is_written_behind_the_end() -> None:
    """Between the abort and the loss of the connection the application may still answer."""
    application = Waiting()
    protocol, transport = connected(application)
    protocol.data_received(GET)
    await settled()
    protocol.transport.abort()
    protocol.transport.write(b"late")
    assert transport.written == b""
    protocol.connection_lost(None)
    await settled()


async def test_a_defect_in_reading_a_request_is_no_fault_of_the_client(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(_: BoundedProtocol) -> None:
        raise KeyError("missing")

    monkeypatch.setattr(BoundedProtocol, "on_headers_complete", fail)
    protocol, transport = connected(Waiting())
    before = DEFECTS.labels("http.protocol")._value.get()
    protocol.data_received(GET)
    assert transport.written.startswith(b"HTTP/1.1 500 ")
    assert DEFECTS.labels("http.protocol")._value.get() == before + 1


async def test_malformed_bytes_are_the_fault_of_the_client() -> None:
    protocol, transport = connected(Waiting())
    protocol.data_received(b"GET / HTTP/9\r\n\r\n")
    assert transport.written.startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("unread", [b"", GET])
async def test_a_request_that_came_while_the_loop_was_busy_is_not_cut_off(unread: bytes) -> None:
    """An idle connection is to be closed, and the kernel has what the loop has not read."""
    protocol, transport = connected(Waiting())
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as transport.socket, os.fdopen(writing, "wb", 0) as peer:
        peer.write(unread)
        protocol.timeout_keep_alive_handler()
        assert protocol.transport.closed is not bool(unread)
        if unread:
            protocol.data_received(GET)
            assert protocol.timeout_keep_alive_task is None
            assert not protocol.transport.closed
        await settled()
        transport.closing = True
        protocol.connection_lost(None)
        await settled()
