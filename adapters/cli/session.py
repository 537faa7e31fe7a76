"""What the commands share: the connection."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar
from urllib.parse import urlsplit

from adapters.cli import profiles
from adapters.client import CallRetryPolicy, Nusabus, Tls

T = TypeVar("T")
GRPC_PORT = 8090
RETRY = CallRetryPolicy(attempts=3, first_delay=0.2, longest_delay=3.0)  # a person is waiting
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def connect(profile: profiles.Profile, retry: CallRetryPolicy = RETRY) -> Nusabus:
    """A connection as the client of a profile."""
    return Nusabus(
        profile.url, profile.client_id, profile.client_secret, tls=profile.tls, retry=retry
    )


def grpc_at(profile: profiles.Profile, address: str) -> tuple[str, Tls | bool]:
    """Where the gateway of a profile serves gRPC unless an address is given, and its TLS."""
    tls: Tls | bool = profile.url.startswith("https://")
    if tls and profile.tls is not None:
        tls = profile.tls
    return address or f"{urlsplit(profile.url).hostname}:{GRPC_PORT}", tls


def over(
    profile: str, work: Callable[[Nusabus], Awaitable[T]], *, retry: CallRetryPolicy = RETRY
) -> T:
    """Do work over a connection, and close it. Returns the result of the work."""

    async def run() -> T:
        async with connect(profiles.load(profile), retry) as bus:
            return await work(bus)

    return asyncio.run(run())


async def until_signal(
    work: Coroutine[Any, Any, T], on_signal: Callable[[], None] = lambda: None
) -> T | None:
    """Do work to its end, or cancel it at Ctrl-C, SIGTERM or SIGHUP; then return None."""
    loop, task = asyncio.get_running_loop(), asyncio.ensure_future(work)

    def end() -> None:
        on_signal()
        task.cancel()

    ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN  # started by nohup
    signals = SIGNALS[:2] if ignored else SIGNALS
    for number in signals:
        loop.add_signal_handler(number, end)
    try:
        return await task
    except asyncio.CancelledError:
        return None
    finally:
        for number in signals:
            loop.remove_signal_handler(number)
