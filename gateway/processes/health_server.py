"""`/health` and `/metrics` of a process that serves no API: a small HTTP server, bounded in all.

It reads no body, keeps no connection, and is answered for by the event loop of the process: a loop
that hangs answers nothing.
"""

import asyncio
import json
from collections.abc import Callable
from functools import partial

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from gateway.base.errors import NusabusError
from gateway.base.outages import PROCESS, Outages
from gateway.base.settings import Settings
from gateway.base.stop import Stop
from gateway.base.telemetry import METRICS, log
from gateway.base.tls import ServerTls, own_certificate
from gateway.http.health import check_scraper
from gateway.http.security_headers import SecurityHeaders
from gateway.processes.connections import Connections
from gateway.processes.http_refusal import Refusal, response
from gateway.processes.tls_gate import TlsGate

CONNECTIONS = 32
HEAD_BYTES = 8192
SECONDS = 5.0  # for a request and its answer


class HealthServer:
    """Answers the platform and its operators."""

    def __init__(self, settings: Settings, outages: Outages = PROCESS) -> None:
        self._settings = settings
        self._outages = outages
        self._headers = SecurityHeaders(https=settings.url.startswith("https://")).lines()
        self._open = 0

    async def run(self, stop: Stop) -> None:
        """Serve until stopped, if NUSABUS_HEALTH_PORT is set. Raises OSError, UnusableFiles."""
        if self._settings.health_port is None:
            return
        loop = asyncio.get_running_loop()
        files = own_certificate(self._settings)
        make = self._protocol if files is None else self._behind(ServerTls(files))
        server = await loop.create_server(make, self._settings.host, self._settings.health_port)
        port = server.sockets[0].getsockname()[1]
        log().info("health.listening", host=self._settings.host, port=port)
        async with server:
            await stop.wait()

    def _protocol(self) -> asyncio.StreamReaderProtocol:
        return asyncio.StreamReaderProtocol(asyncio.StreamReader(HEAD_BYTES), self._serve)

    def _behind(self, tls: ServerTls) -> Callable[[], asyncio.Protocol]:
        """The same behind a handshake, which is bounded as well."""
        connections = Connections(CONNECTIONS, CONNECTIONS + 1, is_proxy=lambda _: False)
        return partial(TlsGate, self._protocol, tls, connections, SECONDS, set())

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._open >= CONNECTIONS:
            writer.transport.abort()
            return
        self._open += 1
        writer.transport.set_write_buffer_limits(high=0)  # so that `drain` waits for all
        try:
            async with asyncio.timeout(SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(self._answer(head))
                await writer.drain()
                writer.close()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            writer.transport.abort()
        finally:
            self._open -= 1

    def _answer(self, head: bytes) -> bytes:
        try:
            media, body = self._content(head)
        except Refusal as refusal:
            return refusal.answer(self._headers)
        whole = response(200, self._headers + b"connection: close\r\n", media, body)
        return whole.removesuffix(body) if head.startswith(b"HEAD ") else whole

    def _content(self, head: bytes) -> tuple[str, bytes]:
        """The media type and the body of the answer. Raises Refusal."""
        line, *fields = head.decode("latin-1").split("\r\n")
        method, _, rest = line.partition(" ")
        if method not in ("GET", "HEAD"):
            raise Refusal(405, "method-not-allowed", "Use GET.")
        match rest.partition(" ")[0].partition("?")[0]:
            case "/health/live":
                return _json({"status": "live"})
            case "/health/ready":
                away = self._outages.present
                if away:
                    raise Refusal(503, "unavailable", f"No answer from {', '.join(away)}.")
                return _json({"status": "ready"})
            case "/metrics":
                self._require_scraper(fields)
                return CONTENT_TYPE_LATEST, generate_latest(METRICS)
        raise Refusal(404, "not-found", "Use /health/live, /health/ready or /metrics.")

    def _require_scraper(self, fields: list[str]) -> None:
        given = [
            value.strip()
            for name, _, value in (each.partition(":") for each in fields)
            if name.lower() == "authorization"
        ]
        try:
            check_scraper(self._settings.metrics_token, given[0] if len(given) == 1 else None)
        except NusabusError as error:
            raise Refusal(401, "not-authenticated", str(error)) from None


def _json(content: dict[str, str]) -> tuple[str, bytes]:
    return "application/json", json.dumps(content).encode()
