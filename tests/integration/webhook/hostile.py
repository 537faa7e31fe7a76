"""Endpoints that answer nonsense, byte by byte as `tricks` has it."""

import os
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from deploy.local.ports import LOOPBACK

Act = Callable[[socket.socket], None]
DELIVERED, REFUSED, UNREACHABLE = "delivered", "refused", "unreachable"
ANY = "any"  # it depends on what arrives first
HEAD = b"HTTP/1.1 200 OK\r\n"
PERMISSION = (
    b"HTTP/1.1 200 OK\r\nWebHook-Allowed-Origin: *\r\nWebHook-Allowed-Rate: *\r\n"
    b"Content-Length: 0\r\n\r\n"
)
PATIENCE = 30.0  # seconds until a conversation ends at the latest


@dataclass(frozen=True)
class Trick:
    """`act` is done with a delivery, of which the bus records `result`.

    `early`: before its body is read. `on_connect`: before anything is read. `handshake`: also with
    the handshake. `tls` is how the URL begins; with `greets` the server really speaks TLS.
    """

    name: str
    act: Act
    result: str
    early: bool = False
    on_connect: bool = False
    handshake: bool = False
    tls: bool = False
    greets: bool = False


class HostileEndpoint:
    """One trick on a port of its own."""

    def __init__(self, trick: Trick, tls: ssl.SSLContext | None = None) -> None:
        self.trick = trick
        self.calls = 0
        self._tls = tls if trick.greets else None
        self._permitted = False
        self._server = socket.create_server((LOOPBACK, 0), backlog=64)
        scheme = "https" if trick.tls else "http"
        self.url = f"{scheme}://{LOOPBACK}:{self._server.getsockname()[1]}/"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Accept no more; conversations end by themselves."""
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._server.accept()
                connection.settimeout(PATIENCE)
                threading.Thread(target=self._converse, args=(connection,), daemon=True).start()

    def _converse(self, connection: socket.socket) -> None:
        try:
            self._talk(connection)
        except OSError:
            pass
        finally:
            connection.close()

    def _talk(self, connection: socket.socket) -> None:
        if self.trick.on_connect and (self._permitted or self.trick.handshake):
            self.calls += 1
            self.trick.act(connection)
            while connection.recv(1 << 16):
                pass
        if self._tls:
            with self._tls.wrap_socket(connection, server_side=True) as secure:
                self._answer(secure)
        else:
            self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        while head := read_head(connection):
            if head.startswith(b"OPTIONS") and not self.trick.handshake:
                self._permitted = True
                connection.sendall(PERMISSION)
                continue
            self.calls += 1
            if not self.trick.early:
                read_body(connection, head)
            self.trick.act(connection)


def read_head(connection: socket.socket) -> bytes:
    """The head of a request, byte by byte; empty where the caller has gone."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = connection.recv(1)
        if not byte:
            return b""
        head += byte
    return head


def read_body(connection: socket.socket, head: bytes) -> None:
    """Read the body that a head announces."""
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    left = int(lengths[0].partition(b":")[2])
    while left and (part := connection.recv(left)):
        left -= len(part)


def says(text: bytes) -> Act:
    """Send this, and leave the connection open."""
    return lambda connection: connection.sendall(text)


def closes(text: bytes = b"") -> Act:
    """Send this, and close."""

    def act(connection: socket.socket) -> None:
        connection.sendall(text)
        connection.close()

    return act


def resets(text: bytes = b"") -> Act:
    """Send this, and reset the connection."""

    def act(connection: socket.socket) -> None:
        connection.sendall(text)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()

    return act


def endless(begin: bytes, piece: bytes) -> Act:
    """Send a beginning, and then the same piece until the caller closes."""

    def act(connection: socket.socket) -> None:
        connection.sendall(begin)
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            connection.sendall(piece)

    return act


def drips(begin: bytes, rest: bytes = b"x" * 100_000) -> Act:
    """Send a beginning, and the rest byte by byte."""

    def act(connection: socket.socket) -> None:
        connection.sendall(begin)
        for byte in rest:
            connection.sendall(bytes([byte]))
            time.sleep(0.05)

    return act


def breaks_tls(connection: socket.socket) -> None:
    """Send what is no TLS record within a TLS connection."""
    with socket.socket(fileno=os.dup(connection.fileno())) as bare:
        bare.sendall(b"\x17\x03\x03\xff\xff" + b"\0" * 100 + b"HTTP/1.1 200 OK\r\n\r\n")


def answer(status: bytes, *fields: bytes, body: bytes = b"") -> bytes:
    """A response as it should be, but for what is given."""
    lines = (b"HTTP/1.1 " + status, *fields, b"Content-Length: %d" % len(body))
    return b"\r\n".join(lines) + b"\r\n\r\n" + body
