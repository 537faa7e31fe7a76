"""The broker's byte stream, read before aiormq reads it.

aiormq spends some 40 us on every frame it receives, and at tens of thousands of confirms a second
that is more than a core. The tap takes the frames that concern publishing out of the stream and
hands over the rest, so that login, tuning, heartbeats, closing and channel errors stay the
library's. It goes in through the library's transport factory.
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

from gateway.broker.pending_confirms import PendingConfirms, Settled

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
class Listener:
    """Who is told. All calls come from the event loop, in the order of the frames."""

    ledger: PendingConfirms
    settled: Callable[[list[Settled]], None]
    """All that frames which arrived together have settled."""
    blocking: Callable[[bool], None]
    """The broker stopped reading from this connection (an alarm), or started again."""
    fault: Callable[[str], None]
    """What the stream says cannot be: nothing that follows may be believed."""


class Tap(asyncio.StreamReader):
    """A stream reader that keeps the confirms and returns of one channel for itself."""

    def __init__(self, loop: asyncio.AbstractEventLoop, listener: Listener) -> None:
        super().__init__(limit=READ_LIMIT, loop=loop)
        self.channel = 0
        """The channel that is listened to; 0 for none yet."""
        self._loop_time: Callable[[], float] = loop.time
        self._listener = listener
        self._rest = b""
        self._broken = False
        self._passed_at = loop.time()
        self._return: FrameTypes | None = None

    def feed_data(self, data: Iterable[SupportsIndex]) -> None:
        """Take what arrived from the transport (asyncio calls this)."""
        arrived = bytes(data)
        if self._broken:
            super().feed_data(arrived)
            return
        settled: list[Settled] = []
        passed = self._sort(self._rest + arrived if self._rest else arrived, settled)
        if settled:
            self._listener.settled(settled)
        # aiormq judges the broker alive by the frames it sees, and the broker sends no
        # heartbeat while it sends confirms.
        now = self._loop_time()
        if passed:
            self._passed_at = now
            super().feed_data(passed)
        elif self.channel and now - self._passed_at > _HEARTBEAT_SECONDS:
            self._passed_at = now
            super().feed_data(_HEARTBEAT)

    def _sort(self, data: bytes, settled: list[Settled]) -> bytes:
        """Keep an incomplete frame, take those that concern publishing, return the library's."""
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
            elif channel != self.channel or not self._take(kind, data, at, after, settled):
                passed.append(data[at:after])
            at = after
        self._rest = data[at:]
        if self._broken:  # let the library find the fault and close
            passed.append(self._rest)
            self._rest = b""
        return b"".join(passed)

    def _take(self, kind: int, data: bytes, at: int, after: int, settled: list[Settled]) -> bool:
        """Act on a frame of the channel; False where it is the library's."""
        if after - at == _CONFIRM_FRAME and kind == _METHOD:
            number, method, tag, bits = _confirm(data, at + 7)
            if number == _BASIC and method in (_ACK, _NACK):
                self._listener.ledger.settle(tag, bits & 1 == 1, method == _ACK, settled)
                return True
        if kind == _METHOD:
            if _method(data, at + 7) != (_BASIC, _RETURN):
                return False
            self._return = frame.unmarshal(data[at:after])[2]
        elif kind == _HEADER:
            self._take_returned(frame.unmarshal(data[at:after])[2])
        return True  # the rest is the body of what came back

    def _take_returned(self, value: FrameTypes) -> None:
        """The content header that follows a return names the message."""
        method, self._return = self._return, None
        if not isinstance(method, commands.Basic.Return) or not isinstance(value, ContentHeader):
            return
        address = (method.exchange or "", method.routing_key or "")
        known = self._listener.ledger.returned(
            *address, value.properties.message_id or "", value.properties.headers or {}
        )
        if not known:
            self._listener.fault(f"a message to {'/'.join(address)} came back but was not sent")

    def _watch(self, data: bytes, at: int) -> None:
        if data[at] == _METHOD:
            number, method = _method(data, at + 7)
            if number == _CONNECTION and method in (_BLOCKED, _UNBLOCKED):
                self._listener.blocking(method == _BLOCKED)


class TappedTransport(TransportFactory):
    """Opens the socket, with TLS where the URL says so, and puts the tap on it."""

    tap: Tap
    writer: asyncio.StreamWriter

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._transport: asyncio.WriteTransport | None = None

    async def create(
        self, url: URL, **kwargs: Any
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect; asyncio and uvloop both set TCP_NODELAY. Raises OSError."""
        provider: SSLContextProvider = kwargs.pop("ssl_context_provider")
        tls = await provider.get_context() if url.scheme == "amqps" else None
        loop = asyncio.get_running_loop()
        self.tap = Tap(loop, self._listener)
        protocol = asyncio.StreamReaderProtocol(self.tap, loop=loop)
        transport, _ = await loop.create_connection(
            lambda: protocol, url.host or "", url.port or 0, ssl=tls, **kwargs
        )
        self._transport = transport
        self.writer = asyncio.StreamWriter(transport, protocol, self.tap, loop)
        return self.tap, self.writer

    def abort(self) -> None:
        """Drop the connection at once, with what is not written yet. Fine without one."""
        if self._transport is not None:
            self._transport.abort()
