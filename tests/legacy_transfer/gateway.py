"""A gateway of its own process: it stores events by their ids, and outlives publishers.

`tests/contract/test_gateway_for_feeds.py` proves it.
"""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import msgspec

from deploy.local.ports import LOOPBACK
from tests.legacy_feeds import REUSED


class _Event(msgspec.Struct):
    id: str
    subject: str
    data: msgspec.Raw


_decode = msgspec.json.Decoder(list[_Event]).decode


class _Server(ThreadingHTTPServer):
    """One whose clients are killed."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that broke is no news here."""


class StoringGateway:
    """Answers like the gateway. `ids` are the stored events, in their order."""

    def __init__(self) -> None:
        self.ids: dict[str, bytes] = {}
        self.repeated = 0
        self.wrong: list[str] = []
        self._lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                answer = outer.answer(self.path, body)
                self.send_response(200)
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = _Server((LOOPBACK, 0), Handler)
        self.url = f"http://{LOOPBACK}:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, path: str, body: bytes) -> bytes:
        """The answer to a request."""
        if path.startswith("/oauth"):
            return json.dumps({"access_token": "t", "expires_in": 3600}).encode()
        with self._lock:
            results = [self._store(each) for each in _decode(body)]
        return b'{"results":[%b]}' % b",".join(results)

    def _store(self, event: _Event) -> bytes:
        data = bytes(event.data)
        known = self.ids.setdefault(event.id, data)
        again = known is not data
        self.repeated += again
        if known != data:
            self.wrong.append(event.id)
            return b'{"status":409,"problem":%b}' % json.dumps(REUSED).encode()
        return b'{"status":202,"receipt":{"duplicate":%b}}' % (b"true" if again else b"false")
