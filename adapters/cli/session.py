"""What every command has: a connection, a way to print, and the options for both."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import typer

from adapters.cli import profiles
from adapters.client import CallRetryPolicy, Nusabus

T = TypeVar("T")
RETRY = CallRetryPolicy(attempts=3, first_delay=0.2, longest_delay=3.0)  # a person is waiting

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
ProfileName = Annotated[
    str,
    typer.Option(
        "--profile", envvar="NUSABUS_PROFILE", help="Section of ~/.config/nusabus/profiles.toml."
    ),
]


def connect(profile: profiles.Profile) -> Nusabus:
    """A connection as this client."""
    return Nusabus(profile.url, profile.client_id, profile.client_secret, retry=RETRY)


def over(profile: str, work: Callable[[Nusabus], Awaitable[T]]) -> T:
    """The outcome of work over a connection, which is closed afterwards."""

    async def run() -> T:
        async with connect(profiles.load(profile)) as bus:
            return await work(bus)

    return asyncio.run(run())
