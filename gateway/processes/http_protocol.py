"""HTTP/1.1 on one connection: uvicorn's protocol, within limits (decision 0023)."""

from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from gateway.base.defects import report_defect
from gateway.base.settings import Settings
from gateway.http.context import PEER
from gateway.processes.connections import (
    Connections,
    EncryptedTransport,
    LingeringTransport,
    count_refused,
)
from gateway.processes.http_refusal import Refusal, check
from gateway.processes.peers import peer_reader

DRAIN = 2.0  # seconds in which an idle connection may still send a request when the process ends
UNREAD = 0.1  # seconds in which the loop reads what has come to a connection that is to be closed
# Bytes that are thrown away while the peer has not read its answer: more than a batch has.
DISCARD = 8 << 20
# A body of many tiny chunks costs a call for each: after the first ones, the mean size counts.
CHUNKS, CHUNK_BYTES = 1000, 16
_FRAMING = (b"content-length", b"transfer-encoding")


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's protocol, in which no peer can take more than its share of memory, files and time.

    The parser calls the `on_` methods while it is fed. One that raises a Refusal ends the feeding.
    """

    transport: LingeringTransport  # type: ignore[assignment]  # has what uvicorn calls

    def __init__(
        self,
        *arguments: Any,
        limits: Settings,
        connections: Connections,
        headers: bytes,
        **more: Any,
    ) -> None:
        super().__init__(*arguments, **more)
        self._limits, self._connections = limits, connections
        self._headers = headers  # of every refusal
        self._header_bytes = limits.header_bytes
        self._unanswered = 0  # requests whose head is complete
        # The request in progress: uvicorn's `cycle` is the last one that came, which may wait.
        self._running: RequestResponseCycle | None = None
        self._head_is_timed = False
        self._in_head = False
        self._in_body = False
        self._replaying = False  # the head of a request that offered an upgrade
        self._keep_alive = False  # what the request being read asks for
        self._draining = False
        self._refusal: Refusal | None = None
        self._fruitless = 0  # bytes received since the last complete head or byte of a body
        self._chunks = self._body_bytes = self._head_bytes = 0

    # The connection
    def connection_made(self, transport: Any) -> None:
        """Admit the connection, or answer 503."""
        super().connection_made(transport)
        self.transport = LingeringTransport(transport, self.loop)
        if isinstance(transport, EncryptedTransport):
            transport.unread = self._unread
        address = self.client[0] if self.client else ""
        by_header = self._limits.client_cert_header and self._connections.is_proxy(address)
        self._peer = peer_reader(transport, by_header=by_header)
        if self._connections.admit(self, address, self.transport.abort):
            self._start_timer(self._limits.header_seconds, self._on_late_head)
        elif self._connections.may_linger(self):
            text = "Too many connections are open. Close idle ones, and try again later."
            self._refuse(Refusal(503, "too-many-connections", text))
        else:
            count_refused("too-many-connections")
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection: who waits for an answer learns it, and nothing more begins."""
        self.pipeline.clear()
        if self._running is not None:
            self._running.disconnected = True
            self._running.message_event.set()
        super().connection_lost(exc)
        self._unset_keepalive_if_required()
        self.transport.stop_watching()
        self._connections.gone(self)

    def data_received(self, data: bytes) -> None:
        """Parse what has come, or throw it away when the connection ends."""
        self._fruitless += len(data)
        if self.transport.closed or self._refusal is not None:
            if self._fruitless > DISCARD:
                self.transport.abort()
            return
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as offer:
            self._decline_upgrade(data[offer.args[0] :])
        except httptools.HttpParserError as error:
            self._refuse(_refusal_of(error))
        else:
            if self._fruitless > self._header_bytes + self._limits.url_bytes:
                self._refuse(self._too_large())
            elif self._in_head and not self._unanswered and not self._head_is_timed:
                self._start_timer(self._limits.header_seconds, self._on_late_head)

    def shutdown(self) -> None:
        """The process ends: answer what has come, and what comes soon, as the last request."""
        self._draining = True
        self._keep_alive = False
        if self._unanswered:
            self.cycle.keep_alive = False
        elif not self._in_head:
            self._start_timer(DRAIN, self.timeout_keep_alive_handler)

    def pause_writing(self) -> None:
        """The peer reads more slowly than we write."""
        super().pause_writing()
        self.transport.watch_writing()

    def resume_writing(self) -> None:
        """It has caught up."""
        super().resume_writing()
        self.transport.stop_watching()

    def _unread(self) -> bool:
        """Whether the peer is sending what nobody reads any more."""
        return self._in_head or self._in_body or self._refusal is not None

    def _start_timer(self, seconds: float, late: Any) -> None:
        self._unset_keepalive_if_required()
        self._head_is_timed = late == self._on_late_head
        self.timeout_keep_alive_task = self.loop.call_later(seconds, late)

    def _on_late_head(self) -> None:
        if self._in_head:
            text = f"The headers must arrive within {self._limits.header_seconds:g} seconds."
            self._refuse(Refusal(408, "too-slow", text))
        else:
            count_refused("silent")
            self.transport.close()

    def timeout_keep_alive_handler(self) -> None:
        """Nothing has come for too long, unless the loop was too busy to read it."""
        if self.transport.has_unread():
            self._start_timer(UNREAD, self.transport.close)  # unless a request begins
        else:
            self.transport.close()

    # The parser
    def on_message_begin(self) -> None:
        """A request begins."""
        if self._replaying:
            return
        if len(self.pipeline) >= self._limits.pipelined_requests:
            text = "Too many requests are waiting on this connection. Wait for the answers."
            raise Refusal(503, "too-many-requests", text)
        super().on_message_begin()
        self._in_head = True
        self._head_bytes = self._chunks = self._body_bytes = 0

    def on_url(self, url: bytes) -> None:
        """A part of the request target."""
        if self._replaying:
            return
        super().on_url(url)
        if len(self.url) > self._limits.url_bytes:
            text = f"The URL is longer than {self._limits.url_bytes} bytes. Shorten it."
            raise Refusal(414, "url-too-long", text)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header; a trailer is dropped, as it must not change the request (RFC 9110, 6.5.1)."""
        if self._replaying or not self._in_head:
            return
        super().on_header(name, value)
        self._head_bytes += len(name) + len(value)
        if self._head_bytes > self._header_bytes or len(self.headers) > self._limits.header_count:
            raise self._too_large()

    def on_headers_complete(self) -> None:
        """The application begins with the request, which may have a body."""
        if self._replaying:
            self._replaying = False
            return
        self._in_head = self._head_is_timed = False
        self._fruitless = 0
        check(self.parser.get_http_version(), self.parser.get_method(), self.headers)
        self._replaying = self.parser.should_upgrade()
        self._unset_keepalive_if_required()
        if self._peer is not None:
            self.scope[PEER] = self._peer(self.headers)  # type: ignore[literal-required]  # ASGI permits more
        if self._turned_away():
            return
        super().on_headers_complete()
        if not self.pipeline:
            self._running = self.cycle
        self._connections.spoke(self)
        self._unanswered += 1
        self._in_body = True
        # An answer before the end of the body is the last one: nobody reads the rest.
        self._keep_alive = self.cycle.keep_alive and not self._draining
        self.cycle.keep_alive = False

    def _turned_away(self) -> bool:
        """Whether the request is refused here, or by raising a Refusal."""
        return False

    def on_chunk_header(self) -> None:
        """A chunk begins."""
        self._chunks += 1
        if self._chunks > CHUNKS and self._chunks * CHUNK_BYTES > self._body_bytes:
            raise Refusal(400, "malformed", "The chunks of the body are too small.")

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        super().on_body(body)
        self._fruitless = 0
        self._body_bytes += len(body)

    def on_message_complete(self) -> None:
        """The body is complete."""
        if self._replaying:
            return
        self._in_body = False
        self._fruitless = 0
        if not self.cycle.response_started:
            self.cycle.keep_alive = self._keep_alive
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """A request is answered: the next one begins, or the refusal of what came after it."""
        self._unanswered -= 1
        self._running = self.pipeline[-1][0] if self.pipeline else None
        super().on_response_complete()
        if self.transport.is_closing() or self._unanswered:
            return
        if self._refusal is not None:
            self._say(self._refusal)
        elif self._in_head:
            self._start_timer(self._limits.header_seconds, self._on_late_head)

    def _decline_upgrade(self, rest: bytes) -> None:
        """Go on with HTTP/1.1 where a client offers another protocol (RFC 9110, section 7.8).

        The parser takes the body for the other protocol. So another one reads it, after a head
        that only says how the body is framed; the callbacks of that head are not repeated.
        """
        self.parser = httptools.HttpRequestParser(self)
        framing = [b"%b: %b\r\n" % each for each in self.headers if each[0] in _FRAMING]
        self.parser.feed_data(b"POST / HTTP/1.1\r\n%b\r\n" % b"".join(framing))
        self.data_received(rest)

    def _refuse(self, refusal: Refusal) -> None:
        """End the connection with this answer, after those to all earlier requests."""
        count_refused(refusal.reason)
        self._refusal = refusal
        self._unset_keepalive_if_required()
        if self._in_body:  # of the request that is refused: the application has it already
            self._unanswered -= 1
            if self.pipeline:
                self.pipeline.popleft()
            else:
                self.cycle.disconnected = True
                self.cycle.message_event.set()
                if self.cycle.response_started:
                    self.transport.close()
        if not self._unanswered:
            self._say(refusal)

    def _say(self, refusal: Refusal) -> None:
        if not self.transport.is_closing():
            self.transport.write(refusal.answer(self._headers))
            self.transport.close()

    def _too_large(self) -> Refusal:
        if self._in_body:
            return Refusal(400, "malformed", "The chunk extensions or trailers are too large.")
        count, size = self._limits.header_count, self._header_bytes
        text = f"The headers exceed {size} bytes, or there are more than {count}. Send fewer."
        return Refusal(431, "headers-too-large", text)


def _refusal_of(error: httptools.HttpParserError) -> Refusal:
    """What the parser raises for malformed bytes, and around what its callbacks raise."""
    cause = error.__context__
    if isinstance(cause, Refusal):
        return cause
    of_parser = httptools.HttpParserError, httptools.HttpParserUpgrade
    if isinstance(cause, Exception) and not isinstance(cause, of_parser):
        report_defect("http.protocol", cause)
        return Refusal(500, "error", "The gateway has a defect. It has been logged.")
    return Refusal(400, "malformed", f"This is not valid HTTP/1.1: {error}.")
