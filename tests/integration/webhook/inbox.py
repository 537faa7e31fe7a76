"""An endpoint for tests, which answers as it is told and remembers what came."""

import json
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from deploy.local.ports import LOOPBACK
from tests.waiting import eventually


@dataclass(frozen=True)
class Call:
    """One delivery, as it came."""

    headers: Mapping[str, str]
    body: bytes
    at: float

    @property
    def event(self) -> dict[str, Any]:
        """The event in it."""
        document: dict[str, Any] = json.loads(self.body)
        return document

    @property
    def id(self) -> str:
        """The id of the event."""
        return str(self.event["id"])


@dataclass(frozen=True)
class Reply:
    """What to answer. `hang` seconds pass before it; `drop` answers nothing at all."""

    status: int = 204
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    hang: float = 0.0
    drop: bool = False
    drip: float = 0.0  # seconds between two bytes of the body


Behave = Callable[[Call], Reply]


class Inbox:
    """A server on a port of its own; `behave` decides each answer, by default 204."""

    def __init__(self, behave: Behave = lambda _: Reply(), tls: ssl.SSLContext | None = None):
        self.behave = behave
        self.permission: Mapping[str, str] = {"webhook-allowed-origin": "*"}
        self.calls: list[Call] = []
        self.asked: list[Mapping[str, str]] = []
        self.shown: list[str] = []  # common names of the certificates of callers
        self.most_at_once = 0
        self.closing = threading.Event()
        self._now = 0
        self._lock = threading.Lock()
        self._server = _Server((LOOPBACK, 0), _Handler)
        self._server.inbox = self
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        scheme = "https" if tls else "http"
        self.url = f"{scheme}://{LOOPBACK}:{self._server.server_address[1]}/masuk?x=1"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        """End it; what hangs is let go."""
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()

    def ids(self) -> list[str]:
        """The events that came, in their order, repeats as well."""
        return [call.id for call in list(self.calls)]

    def wait(self, count: int, seconds: float = 30) -> list[Call]:
        """The calls, once there are so many."""
        eventually(lambda: len(self.calls) >= count, seconds)
        return list(self.calls)

    def wait_for(self, *ids: str, seconds: float = 30) -> list[Call]:
        """The calls, once these events were among them."""
        eventually(lambda: set(ids) <= set(self.ids()), seconds)
        return list(self.calls)

    def took(self, call: Call) -> Reply:
        """Remember a call, and decide."""
        with self._lock:
            self.calls.append(call)
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
        try:
            reply = self.behave(call)
            if reply.hang:
                self.closing.wait(reply.hang)
            return reply
        finally:
            with self._lock:
                self._now -= 1


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "_Server"

    def setup(self) -> None:
        super().setup()
        if isinstance(self.connection, ssl.SSLSocket):
            shown = self.connection.getpeercert() or {}
            self.server.inbox.shown += [name[0][1] for name in shown.get("subject", ())]

    def do_OPTIONS(self) -> None:
        self.server.inbox.asked.append(self._headers())
        self._answer(Reply(200, self.server.inbox.permission))

    def do_POST(self) -> None:
        size = int(self.headers["content-length"])
        body = self.rfile.read(size)
        if len(body) < size:  # the caller was killed meanwhile
            self.close_connection = True
            return
        reply = self.server.inbox.took(Call(self._headers(), body, time.monotonic()))
        if reply.drop or self.server.inbox.closing.is_set():
            self.close_connection = True
        else:
            self._answer(reply)

    def _headers(self) -> Mapping[str, str]:
        return {name.lower(): value for name, value in self.headers.items()}

    def _answer(self, reply: Reply) -> None:
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if reply.status != HTTPStatus.NO_CONTENT:
            self.send_header("content-length", str(len(reply.body)))
        self.end_headers()
        try:
            self._write(reply)
        except OSError:  # who called has had enough
            self.close_connection = True

    def _write(self, reply: Reply) -> None:
        if not reply.drip:
            self.wfile.write(reply.body)
            return
        for byte in reply.body:
            self.wfile.write(bytes([byte]))
            if self.server.inbox.closing.wait(reply.drip):
                return

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    inbox: Inbox
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """A caller that hangs up is none."""
