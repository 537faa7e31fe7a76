"""Reads confirms and returns from the broker's byte stream, before aiormq reads it.

aiormq spends some 40 us on every frame that it receives; at tens of thousands of confirms a second
that is more than a core. The reader takes the frames that concern publishing out of the stream and
passes on the rest, so that login, tuning, heartbeats, closing and channel errors stay with the
library. The library's transport factory is where it is installed.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from struct import Struct
from typing import Any, SupportsIndex

from aiormq.connection import SSLContextProvider, TransportFactory
from pamqp import commands, frame
from pamqp.frame import FrameTypes
from pamqp.header import ContentHeader
from yarl import URL

from gateway.broker.pending_confirms import ConfirmResult, PendingConfirms

READ_LIMIT = 1 << 16
_HEARTBEAT = b"\x08\0\0\0\0\0\0\xce"
_HEARTBEAT_SECONDS = 1.0
_OVERHEAD = 8
_END = 0xCE
_METHOD, _HEADER, _CONTENT, _BEAT = 1, 2, 3, 8
_KINDS = (_METHOD, _HEADER, _CONTENT, _BEAT)

_head = Struct(">BHI").unpack_from  # frame type, channel, size
_confirm = Struct(">HHQB").unpack_from  # class, method, delivery tag, bits
_method = Struct(">HH").unpack_from
_CONFIRM_FRAME = 21

_BASIC, _RETURN, _ACK, _NACK = 60, 50, 80, 120
_CONNECTION, _BLOCKED, _UNBLOCKED = 10, 60, 61


@dataclass(frozen=True, slots=True)
class ConfirmCallbacks:
    """All calls come from the event loop, in the order of the frames."""

    pending: PendingConfirms
    on_results: Callable[[list[ConfirmResult]], None]
    """The results of all frames that arrived together."""
    on_blocked: Callable[[bool], None]
    """The broker stopped reading from this connection (an alarm), or started again."""
    on_fault: Callable[[str], None]
    """The stream contradicts itself; nothing that follows can be trusted."""


class ConfirmReader(asyncio.StreamReader):
    """A stream reader that takes out the confirms and returns of one channel."""

    def __init__(self, loop: asyncio.AbstractEventLoop, callbacks: ConfirmCallbacks) -> None:
        super().__init__(limit=READ_LIMIT, loop=loop)
        self.channel = 0
        """The channel whose confirms are taken; 0 until it is open."""
        self._loop_time: Callable[[], float] = loop.time
        self._callbacks = callbacks
        self._rest = b""
        self._broken = False
        self._passed_at = loop.time()
        self._return: FrameTypes | None = None

    def feed_data(self, data: Iterable[SupportsIndex]) -> None:
        """Take the bytes that arrived (asyncio calls this)."""
        arrived = bytes(data)
        if self._broken:
            super().feed_data(arrived)
            return
        results: list[ConfirmResult] = []
        passed = self._sort(self._rest + arrived if self._rest else arrived, results)
        if results:
            self._callbacks.on_results(results)
        # aiormq takes the broker for alive by the frames it sees, and the broker sends no
        # heartbeat while it sends confirms.
        now = self._loop_time()
        if passed:
            self._passed_at = now
            super().feed_data(passed)
        elif self.channel and now - self._passed_at > _HEARTBEAT_SECONDS:
            self._passed_at = now
            super().feed_data(_HEARTBEAT)

    def _sort(self, data: bytes, results: list[ConfirmResult]) -> bytes:
        """Keep an incomplete frame, take those that concern publishing, return the others."""
        passed: list[bytes] = []
        at, end = 0, len(data)
        while end - at >= _OVERHEAD:
            kind, channel, size = _head(data, at)
            after = at + size + _OVERHEAD
            if after > end and kind in _KINDS:
                break
            if kind not in _KINDS or data[after - 1] != _END:
                self._broken = True
                break
            if channel == 0:
                self._watch(data, at)
                passed.append(data[at:after])
            elif channel != self.channel or not self._take(kind, data, at, after, results):
                passed.append(data[at:after])
            at = after
        self._rest = data[at:]
        if self._broken:  # let the library find the fault and close
            passed.append(self._rest)
            self._rest = b""
        return b"".join(passed)

    def _take(
        self, kind: int, data: bytes, at: int, after: int, results: list[ConfirmResult]
    ) -> bool:
        """Act on a frame of the channel; False if the library has to read it."""
        if after - at == _CONFIRM_FRAME and kind == _METHOD:
            number, method, tag, bits = _confirm(data, at + 7)
            if number == _BASIC and method in (_ACK, _NACK):
                self._callbacks.pending.settle(tag, bits & 1 == 1, method == _ACK, results)
                return True
        if kind == _METHOD:
            if _method(data, at + 7) != (_BASIC, _RETURN):
                return False
            self._return = frame.unmarshal(data[at:after])[2]
        elif kind == _HEADER:
            self._take_returned(frame.unmarshal(data[at:after])[2])
        return True  # all other frames are the body of a returned message

    def _take_returned(self, value: FrameTypes) -> None:
        """The content header that follows a return names the message."""
        method, self._return = self._return, None
        if not isinstance(method, commands.Basic.Return) or not isinstance(value, ContentHeader):
            return
        address = (method.exchange or "", method.routing_key or "")
        known = self._callbacks.pending.mark_returned(
            *address, value.properties.message_id or "", value.properties.headers or {}
        )
        if not known:
            self._callbacks.on_fault(
                f"it returned a message to {'/'.join(address)} that was not sent"
            )

    def _watch(self, data: bytes, at: int) -> None:
        if data[at] == _METHOD:
            number, method = _method(data, at + 7)
            if number == _CONNECTION and method in (_BLOCKED, _UNBLOCKED):
                self._callbacks.on_blocked(method == _BLOCKED)


class ConfirmTransport(TransportFactory):
    """Opens the socket, with TLS for `amqps`, and installs the reader."""

    reader: ConfirmReader
    writer: asyncio.StreamWriter

    def __init__(self, callbacks: ConfirmCallbacks) -> None:
        self._callbacks = callbacks
        self._transport: asyncio.WriteTransport | None = None

    async def create(
        self, url: URL, **kwargs: Any
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect; asyncio and uvloop both set TCP_NODELAY. Raises OSError."""
        provider: SSLContextProvider = kwargs.pop("ssl_context_provider")
        tls = await provider.get_context() if url.scheme == "amqps" else None
        loop = asyncio.get_running_loop()
        self.reader = ConfirmReader(loop, self._callbacks)
        protocol = asyncio.StreamReaderProtocol(self.reader, loop=loop)
        transport, _ = await loop.create_connection(
            lambda: protocol, url.host or "", url.port or 0, ssl=tls, **kwargs
        )
        self._transport = transport
        self.writer = asyncio.StreamWriter(transport, protocol, self.reader, loop)
        return self.reader, self.writer

    def abort(self) -> None:
        """Drop the connection at once, unwritten bytes included; does nothing without one."""
        if self._transport is not None:
            self._transport.abort()
