"""Loopback ports for private servers."""

import random
import socket
from collections.abc import Collection

LOOPBACK = "127.0.0.1"
# Below the range from which the kernel takes the local port of an outgoing connection (32768 on),
# so that a port stays free while its server is down.
RANGE = range(20_000, 32_000)
_next: list[int] = []


def listening(port: int) -> bool:
    """Whether somebody listens on this loopback port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((LOOPBACK, port)) == 0


def free(port: int) -> bool:
    """Whether a server could listen on this loopback port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def claim(port: int) -> socket.socket | None:
    """Hold a free port for servers that share it (SO_REUSEPORT); None where it is not free.

    Who probes it finds it taken as long as the socket is open, before a server listens.
    """
    if not free(port):
        return None
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        held.bind((LOOPBACK, port))
    except OSError:
        held.close()
        return None
    return held


def free_port(taken: Collection[int] = ()) -> int:
    """A loopback port on which nobody listens, none of `taken`.

    Of one process it comes again only when all others have come too: who asks for several has
    different ones, before anybody listens on the first.
    """
    while True:
        if not _next:
            _next.extend(random.SystemRandom().sample(RANGE, len(RANGE)))
        port = _next.pop()
        if port in RANGE and port not in taken and free(port):
            return port
