"""The HTTP server of a process."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

from gateway.base.settings import Settings
from gateway.base.stop import Stop
from gateway.base.telemetry import log

GRACE = 10  # seconds for requests in progress to finish
# Longer than the 60 seconds after which load balancers close idle connections: if the server
# closed first, it could close a connection on which a request is just arriving.
KEEP_ALIVE = 75


async def serve(app: FastAPI, settings: Settings, stop: Stop) -> None:
    """Serve on a port that other api processes may share, until stopped."""
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listening.bind((settings.host, settings.port))
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http="httptools",
        lifespan="off",
        access_log=False,
        log_config=None,
        timeout_graceful_shutdown=GRACE,
        timeout_keep_alive=KEEP_ALIVE,
        server_header=False,
        proxy_headers=settings.trusted_proxies is not None,
        forwarded_allow_ips=settings.trusted_proxies or "",
        date_header=False,
        backlog=2048,
        h11_max_incomplete_event_size=64 << 10,
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    log().info("api.listening", host=settings.host, port=listening.getsockname()[1])
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait({serving, stopped}, return_when=asyncio.FIRST_COMPLETED)
    server.should_exit = True
    await serving
    stopped.cancel()


class _Server(uvicorn.Server):
    """Does not handle signals; the process does, and stops more than the server."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture no signals."""
        yield
