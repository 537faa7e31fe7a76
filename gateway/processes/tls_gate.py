"""TLS before HTTP: a connection counts, and has a time limit, from its first byte on."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

from gateway.base.defects import report_defect
from gateway.base.tls import ServerTls
from gateway.processes.connections import (
    STALLED,
    Connections,
    EncryptedTransport,
    count_refused,
)
from gateway.processes.http_protocol import DRAIN

# LingeringTransport gives a peer up that takes nothing; one that takes its answer has this long.
SHUTDOWN = 20 * STALLED
EARLY = 1 << 20  # bytes that may come before the handshake or with its end


def gated(
    make: Callable[..., Any], tls: ServerTls, connections: Connections, seconds: float
) -> "partial[TlsGate]":
    """What uvicorn takes for its own protocol."""

    def gate(**uvicorns: Any) -> TlsGate:
        pending = uvicorns["server_state"].connections
        return TlsGate(partial(make, **uvicorns), tls, connections, seconds, pending)

    return partial(gate)


class TlsGate(asyncio.Protocol):
    """A connection until its handshake is complete; then `make` makes its protocol.

    asyncio would count it only afterwards, and give each stranger a minute for it.
    """

    def __init__(
        self,
        make: Callable[[], Any],
        tls: ServerTls,
        connections: Connections,
        seconds: float,
        pending: set[Any],
    ) -> None:
        """`pending` holds the connections that have not come through yet."""
        self._make, self._tls = make, tls
        self._connections, self._seconds, self._pending = connections, seconds, pending
        self._early = b""
        self._lost = self._draining = False
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: Any) -> None:  # uvloop's is no asyncio.Transport
        """Admit the connection, or end it: an answer would need the handshake."""
        self._transport = transport
        address = (transport.get_extra_info("peername") or ("",))[0]
        if not self._connections.admit(self, address, transport.abort):
            count_refused("too-many-connections")
            transport.abort()
            return
        self._pending.add(self)
        self._task = asyncio.get_running_loop().create_task(self._shake_hands())
        self._task.add_done_callback(_report)

    def data_received(self, data: bytes) -> None:
        """What comes before the handshake; later what came with its end, decrypted."""
        self._early += data
        if len(self._early) > EARLY:
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """It ended in between."""
        self._lost = True

    def shutdown(self) -> None:
        """The process ends: as long as an idle connection has for a request."""
        self._draining = True
        asyncio.get_running_loop().call_later(DRAIN, self._give_up)

    def _give_up(self) -> None:
        if self in self._pending:
            self._transport.abort()

    async def _shake_hands(self) -> None:
        try:
            encrypted = await self._start_tls()
        except OSError:  # among them ssl.SSLError, and ConnectionAbortedError when it is late
            count_refused("tls-handshake")
            self._transport.abort()
            return
        finally:
            self._pending.discard(self)
            self._connections.gone(self)
        # One that was aborted meanwhile counts as shaken hands, and is never reported as lost.
        if encrypted is not None and not self._lost and not self._transport.is_closing():
            self._hand_over(encrypted)

    async def _start_tls(self) -> asyncio.Transport | None:
        """The transport behind the handshake. Raises OSError, also when it takes too long."""
        loop = asyncio.get_running_loop()
        # Only now: uvloop begins to read behind `connection_made`, even if that has paused it.
        self._transport.pause_reading()
        shaking = loop.create_task(
            loop.start_tls(
                self._transport,
                self,
                self._tls.current(),
                server_side=True,
                ssl_handshake_timeout=self._seconds,
                ssl_shutdown_timeout=SHUTDOWN,
            )
        )
        await asyncio.sleep(0)  # it replaces us as the transport's protocol,
        await asyncio.sleep(0)  # and is connected
        hello, self._early = self._early, b""
        if not shaking.done():
            _feed(self._transport.get_protocol(), hello)
        return await shaking

    def _hand_over(self, encrypted: asyncio.Transport) -> None:
        protocol = self._make()
        encrypted.set_protocol(protocol)
        protocol.connection_made(EncryptedTransport(encrypted, self._transport))
        if self._early:
            protocol.data_received(self._early)
        if self._draining:
            protocol.shutdown()


def _feed(protocol: asyncio.BufferedProtocol, data: bytes) -> None:
    while data:
        buffer = memoryview(protocol.get_buffer(len(data)))
        count = min(len(buffer), len(data))
        buffer[:count] = data[:count]
        protocol.buffer_updated(count)
        data = data[count:]


def _report(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        report_defect("http.tls", error)
