"""`nusabus tail`: print events as they come."""

import json
import os
import secrets
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import httpx
import typer

from adapters.cli import profiles, screen
from adapters.cli.exits import Failure
from adapters.cli.flags import ProfileName
from adapters.cli.session import grpc_at, over, until_signal
from adapters.client import Nusabus, Problem, StreamedEvent, Streams

app = typer.Typer()
EXAMPLES = """\
Examples:

nusabus tail id.go.kemendikbud.nisn.diverifikasi.v1

nusabus tail 'id.go.bmkg.*' --from beginning --json

nusabus tail --subscription dashboard

nusabus tail --grpc --subscription dashboard --resume dashboard.position

Exit code 0: it ended by Ctrl-C or --count. 1: the gateway refused, or the command failed.
"""

Start = Annotated[str, typer.Option("--from", metavar="now|beginning|TIME", help="Where to begin.")]
Named = Annotated[
    str,
    typer.Option(
        "--subscription", help="Follow this subscription instead; its delivery is `stream`."
    ),
]
Resume = Annotated[
    Path | None,
    typer.Option(
        "--resume",
        metavar="FILE",
        help="Keep the position of --subscription in FILE, and go on after it.",
    ),
]
GrpcAddress = Annotated[
    str,
    typer.Option(
        "--grpc-address",
        envvar="NUSABUS_GRPC",
        metavar="HOST:PORT",
        help="Where the gateway serves gRPC. Default: port 8090 of its host.",
    ),
]
Follow = Callable[..., AsyncGenerator[StreamedEvent, None]]
"""Follows a subscription, as `Streams.follow` does."""
After = Annotated[
    str,
    typer.Option(
        "--after", metavar="POSITION", help="Resume --subscription after this stream position."
    ),
]


@app.command(epilog=EXAMPLES)
def tail(  # noqa: PLR0913 - each is an option of the command
    types: Annotated[
        list[str] | None, typer.Argument(metavar="TYPE...", help="Event types, or patterns.")
    ] = None,
    subscription: Named = "",
    start: Start = "",
    after: After = "",
    count: Annotated[int, typer.Option("--count", "-n", min=0, help="Exit after N events.")] = 0,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print each event as CloudEvents JSON on one line.")
    ] = False,
    resume: Resume = None,
    grpc: Annotated[bool, typer.Option("--grpc", help="Receive over gRPC.")] = False,
    grpc_address: GrpcAddress = "",
    profile: ProfileName = "default",
) -> None:
    """Print events of TYPE as they come, one line each, until Ctrl-C.

    Makes a temporary subscription and removes it at the end. After a lost connection it goes on
    where it was: no event is missed or repeated. With --subscription and --resume the same command
    goes on where an earlier run was killed.
    """
    if bool(types) == bool(subscription):
        raise Failure("Give at least one TYPE, or --subscription NAME.")
    if subscription and start:
        raise Failure("--from needs TYPE. A named subscription has a start of its own.")
    if types and (after or resume):
        raise Failure("--after and --resume need --subscription. Use --from with TYPE.")
    follow = _over_grpc(profile, grpc_address) if grpc else _over_http
    output = _Output(follow, count, as_json, resume)

    async def work(bus: Nusabus) -> None:
        if subscription:
            await _require_stream(bus, subscription)
            position = after or (resume.read_text() if resume and resume.exists() else "")
            await until_signal(output.print_all(bus, subscription, position))
        else:
            await until_signal(_tail(bus, types or [], start or "now", output))

    over(profile, work)


def _over_http(bus: Nusabus) -> Follow:
    return Streams(bus).follow


def _over_grpc(profile: str, address: str) -> Callable[[Nusabus], Follow]:
    # Here, because no other command needs gRPC, which takes long to load.
    from adapters.client.grpc_subscribing import Subscriber

    where, tls = grpc_at(profiles.load(profile), address)
    return lambda bus: Subscriber(where, bus.access_token, tls=tls).follow


async def _require_stream(bus: Nusabus, name: str) -> None:
    found = await bus.call("GET", f"/v1/subscriptions/{name}")
    if found["delivery"] != "stream":
        raise Failure(
            f"The delivery of {name} is {found['delivery']}. `tail` needs a subscription whose "
            "delivery is stream, or a TYPE."
        )


async def _tail(bus: Nusabus, types: list[str], start: str, output: "_Output") -> None:
    async with _temporary(bus, types, start) as name:
        screen.err().print(f"[dim]Waiting for events. Subscription: {name}. Ctrl-C ends it.[/]")
        await output.print_all(bus, name, "")


@asynccontextmanager
async def _temporary(bus: Nusabus, types: list[str], start: str) -> AsyncIterator[str]:
    """A subscription that lives as long as the context."""
    name = f"tail-{secrets.token_hex(6)}"
    created = False
    try:
        await bus.subscribe(name, types, delivery="stream", start=start)
        created = True
        yield name
    finally:
        try:
            await bus.unsubscribe(name)
        except (Problem, httpx.TransportError):
            if created:
                screen.err().print(
                    "[yellow]The temporary subscription was not removed.[/] "
                    f"Run: nusabus subscriptions delete {name}"
                )


@dataclass(frozen=True)
class _Output:
    """How events are got and printed."""

    follow: Callable[[Nusabus], Follow]
    count: int
    as_json: bool
    resume: Path | None

    async def print_all(self, bus: Nusabus, name: str, after: str) -> None:
        """Print events until there are `count`, or until nobody reads the output."""
        printed = 0
        following = self.follow(bus)(name, after=after, on_reconnect=_report)
        async with aclosing(following) as events:
            async for event in events:
                try:
                    text = _json(event.text) if self.as_json else _line(event)
                    sys.stdout.write(f"{text}\n")
                    sys.stdout.flush()
                except BrokenPipeError:
                    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                    return
                self._keep(event.position)
                printed += 1
                if printed == self.count:
                    return

    def _keep(self, position: str) -> None:
        """After the event is written: a run that is killed in between repeats it."""
        if self.resume is not None and position:
            fresh = self.resume.with_name(f"{self.resume.name}.new")
            fresh.write_text(position)
            fresh.replace(self.resume)


def _report(error: Exception | None) -> None:
    if error is not None:
        screen.err().print(f"[yellow]Connection lost.[/] Reconnecting. ({screen.safe(error)})")


def _line(event: StreamedEvent) -> str:
    """When it was recorded, its type, subject and id, and its data."""
    found = event.document
    names = ("recordedtime", "type", "subject", "id")
    data = json.dumps(found.get("data", found.get("data_base64")), ensure_ascii=False)
    return screen.printable("  ".join([*(str(found.get(name, "-")) for name in names), data]))


def _json(text: str) -> str:
    """The same JSON, without characters that a terminal obeys."""
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() else " " if c == "\t" else json.dumps(c)[1:-1] for c in text
    )
