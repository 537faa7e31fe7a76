"""The HTTP server of a process."""

import asyncio
import resource
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import uvicorn
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from gateway.base.settings import Settings
from gateway.base.stop import Stop
from gateway.base.telemetry import log
from gateway.base.tls import ServerTls, own_certificate
from gateway.http.app import Application
from gateway.http.entrance import Entrance
from gateway.http.security_headers import SecurityHeaders
from gateway.processes.connections import Connections, refused
from gateway.processes.shedding import ShedAnswers, SheddingProtocol
from gateway.processes.tls_gate import gated

GRACE = 10  # seconds for requests in progress to finish
OTHER_FILES = 384  # for the database, the broker, modules, and connections that are turned away
REPORT = 600  # ticks of a tenth of a second between two lines about what was refused


async def serve(app: Application, settings: Settings, stop: Stop) -> None:
    """Serve on a port that other api processes may share, until stopped. Raises UnusableFiles."""
    config = server_config(app, settings, app.entrance, _server_tls(app, settings))
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listening.setblocking(False)
    listening.bind((settings.host, settings.port))
    server = Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    log().info("api.listening", host=settings.host, port=listening.getsockname()[1])
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait({serving, stopped}, return_when=asyncio.FIRST_COMPLETED)
    server.should_exit = True
    await serving
    stopped.cancel()


def _server_tls(app: Application, settings: Settings) -> ServerTls | None:
    """TLS that asks for certificates of clients where some may come."""
    files = own_certificate(settings)
    if files is None:
        return None
    authorities = settings.tls_client_ca_file
    return ServerTls(
        replace(files, authorities=authorities), lambda: app.state.context.directory.self_signed
    )


def server_config(
    application: Any, settings: Settings, entrance: Entrance, tls: ServerTls | None = None
) -> uvicorn.Config:
    """How uvicorn serves an ASGI application: within the limits of the settings."""
    proxies = ProxyHeadersMiddleware(application, settings.trusted_proxies or [])
    connections = Connections(
        _connection_limit(settings.connections),
        settings.connections_per_address,
        proxies.trusted_hosts.__contains__,
    )
    security = SecurityHeaders(https=settings.url.startswith("https://"))
    protocol: partial[Any] = partial(
        SheddingProtocol,
        limits=settings,
        connections=connections,
        headers=security.lines(),
        entrance=entrance,
        answers=ShedAnswers.made(security.lines()),
    )
    if tls is not None:
        protocol = gated(protocol, tls, connections, settings.header_seconds)
    return uvicorn.Config(
        proxies if settings.trusted_proxies else application,
        loop="uvloop",
        http=protocol,  # type: ignore[arg-type]  # it is only called
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        timeout_graceful_shutdown=GRACE,
        timeout_keep_alive=settings.keep_alive_seconds,  # type: ignore[arg-type]  # handed to call_later
        server_header=False,
        proxy_headers=False,
        date_header=False,
        backlog=2048,
    )


def _connection_limit(wanted: int) -> int:
    """How many connections there may be: fewer than this process may have files."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if files == resource.RLIM_INFINITY or files - OTHER_FILES >= wanted:
        return wanted
    limit = max(files - OTHER_FILES, files // 4)
    log().warning("api.connections_limited", wanted=wanted, limit=limit, files=files)
    return limit


class Server(uvicorn.Server):
    """Does not handle signals; the process does, and stops more than the server."""

    _reported: dict[str, int] = {}  # noqa: RUF012  (replaced, never changed)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture no signals."""
        yield

    async def on_tick(self, counter: int) -> bool:
        """Once a minute, say what was refused since the last time."""
        if counter % REPORT == 0:
            now = refused()
            more = {name: count - self._reported.get(name, 0) for name, count in now.items()}
            self._reported = now
            if any(more.values()):
                log().warning("http.refused", reasons={name: n for name, n in more.items() if n})
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve also those that have connected by now: closing the socket would reset them.

        The kernel still resets who connects between the last accept and the close, some
        microseconds later.
        """
        loop = asyncio.get_running_loop()
        late = [client for each in sockets or [] for client in _accept_all(each)]
        for server in self.servers:
            server.close()
        make: Any = self.config.http_protocol_class
        protocol = partial(
            make, config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        for client in late:
            await loop.connect_accepted_socket(protocol, client)
        await super().shutdown(sockets)


def _accept_all(listening: socket.socket) -> Iterator[socket.socket]:
    while True:
        try:
            client, _ = listening.accept()
        except OSError:
            return
        client.setblocking(False)
        yield client
