"""The HTTP connections of a process: how many there may be, and how each one ends."""

import asyncio
import collections
import fcntl
import termios
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from prometheus_client import Counter, Gauge

from gateway.base.telemetry import METRICS

LINGER = 2.0  # seconds after an answer in which the peer may read it (RFC 9112, section 9.6)
STALLED = 30.0  # seconds in which a peer takes no byte of its answer
LINGERING = 128  # refused connections that may linger at once; files are kept free for them

REFUSED = Counter(
    "nusabus_http_refused",
    "Requests and connections that the HTTP server refused or ended, by reason",
    ["reason"],
    registry=METRICS,
)
OPEN = Gauge("nusabus_http_connections", "Open HTTP connections of this process", registry=METRICS)


def count_refused(reason: str) -> None:
    """Count one refused request or connection. Strangers can cause many, so none is logged."""
    REFUSED.labels(reason).inc()


def refused() -> dict[str, int]:
    """How many were refused so far, by reason."""
    samples = (sample for metric in REFUSED.collect() for sample in metric.samples)
    return {
        each.labels["reason"]: int(each.value) for each in samples if each.name.endswith("_total")
    }


@dataclass(slots=True)
class Connections:
    """Admits connections up to a limit for all of them and one for each address.

    When there is no room, the oldest connection that has never sent a whole request head makes
    room. So connections that say nothing keep nobody out.
    """

    limit: int
    per_address: int
    is_proxy: Callable[[str], bool]
    """Tells the addresses of proxies, which may have any number: all clients come from there."""
    _addresses: dict[Any, str] = field(default_factory=dict)
    _counts: collections.Counter[str] = field(default_factory=collections.Counter)
    _silent: dict[Any, Callable[[], None]] = field(default_factory=dict)
    _lingering: set[Any] = field(default_factory=set)

    def admit(self, connection: Any, address: str, abort: Callable[[], None]) -> bool:
        """Whether this connection may stay. It is silent until `spoke`, and counts until `gone`."""
        if self._counts[address] >= self.per_address and not self.is_proxy(address):
            return False
        if len(self._addresses) >= self.limit and not self._drop_a_silent_one():
            return False
        self._addresses[connection] = address
        self._counts[address] += 1
        self._silent[connection] = abort
        OPEN.set(len(self._addresses))
        return True

    def may_linger(self, connection: Any) -> bool:
        """Whether a connection that was not admitted may stay for its answer, until `gone`."""
        if len(self._lingering) >= LINGERING:
            return False
        self._lingering.add(connection)
        return True

    def spoke(self, connection: Any) -> None:
        """A whole request head has come: the connection is not dropped for others any more."""
        self._silent.pop(connection, None)

    def gone(self, connection: Any) -> None:
        """The connection is closed, or about to be."""
        self._silent.pop(connection, None)
        self._lingering.discard(connection)
        address = self._addresses.pop(connection, None)
        if address is not None:
            self._counts[address] -= 1
            if not self._counts[address]:
                del self._counts[address]
            OPEN.set(len(self._addresses))

    def _drop_a_silent_one(self) -> bool:
        oldest = next(iter(self._silent), None)
        if oldest is None:
            return False
        abort = self._silent[oldest]
        self.gone(oldest)
        count_refused("displaced")
        abort()
        return True


class LingeringTransport:
    """A transport that closes in stages, and that a peer cannot hold.

    Closed at once while the peer is still sending, TCP would reset the connection, and the peer
    would lose the answer. So it first ends its own direction, and what still comes is thrown away.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self.closed = False
        self.pause_reading = transport.pause_reading
        self.resume_reading = transport.resume_reading
        self.get_extra_info = transport.get_extra_info
        self._transport = transport
        self._loop = loop
        self._timer: asyncio.TimerHandle | None = None

    def write(self, data: bytes) -> None:
        """Send these bytes, unless nobody will read them."""
        if not self.is_closing():
            self._transport.write(data)

    def is_closing(self) -> bool:
        """Whether nothing more will be read or answered."""
        return self.closed or self._transport.is_closing()

    def close(self) -> None:
        """Send what is written, then close."""
        if self.is_closing():
            return
        self.closed = True
        self._transport.resume_reading()  # to see the peer close
        self._transport.write_eof()
        self.watch_writing()

    def has_unread(self) -> bool:
        """Whether the kernel holds bytes that the loop has not read: timers come before reading."""
        waiting, socket = bytearray(4), self.get_extra_info("socket")
        if socket is not None:
            with suppress(OSError):
                fcntl.ioctl(socket.fileno(), termios.FIONREAD, waiting)
        return any(waiting)

    def abort(self) -> None:
        """Close now."""
        self.closed = True
        self._transport.abort()

    def watch_writing(self, before: int = -1) -> None:
        """Abort when the peer takes nothing for too long, and when it had the time to read all."""
        left = self._transport.get_write_buffer_size()
        self.stop_watching()
        if left == before:
            if left:
                count_refused("stalled")
            self._transport.abort()
        elif left or self.closed:
            seconds = STALLED if left else LINGER
            self._timer = self._loop.call_later(seconds, self.watch_writing, left)

    def stop_watching(self) -> None:
        """The peer has taken enough, or is gone."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class EncryptedTransport:
    """A transport over TLS that ends as one of TCP does."""

    def __init__(self, encrypted: asyncio.Transport, plain: asyncio.Transport) -> None:
        self.unread: Callable[[], bool] = bool
        """Whether the peer is still sending what nobody reads."""
        self.write = encrypted.write
        self.close = encrypted.close
        self.abort = encrypted.abort
        self.set_write_buffer_limits = encrypted.set_write_buffer_limits
        self.is_closing = encrypted.is_closing
        self.pause_reading = encrypted.pause_reading
        self.resume_reading = encrypted.resume_reading
        self.get_extra_info = encrypted.get_extra_info
        self._encrypted, self._plain = encrypted, plain

    def get_write_buffer_size(self) -> int:
        """Bytes that the peer has not taken."""
        size = self._encrypted.get_write_buffer_size() + self._plain.get_write_buffer_size()
        return int(size)

    def write_eof(self) -> None:
        """Say the end behind what is written.

        TLS has no half-closed connections: what the peer sends afterwards would reset it, and the
        answer with it. So while it sends, its answer says the end: `Connection: close`.
        """
        if not self.unread():
            self._encrypted.close()
