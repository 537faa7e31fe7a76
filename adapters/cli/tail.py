"""`nusabus tail`: print events as they come."""

import json
import os
import secrets
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Annotated

import httpx
import typer

from adapters.cli import screen
from adapters.cli.exits import Failure
from adapters.cli.flags import ProfileName
from adapters.cli.session import over, until_signal
from adapters.client import Nusabus, Problem, StreamedEvent, Streams

app = typer.Typer()
EXAMPLES = """\
Examples:

nusabus tail id.go.kemendikbud.nisn.diverifikasi.v1

nusabus tail 'id.go.bmkg.*' --from beginning --json

nusabus tail --subscription dashboard

Exit code 0: it ended by Ctrl-C or --count. 1: the gateway refused, or the command failed.
"""

Start = Annotated[str, typer.Option("--from", metavar="now|beginning|TIME", help="Where to begin.")]
After = Annotated[
    str,
    typer.Option(
        "--after", metavar="POSITION", help="Resume --subscription after this stream position."
    ),
]


@app.command(epilog=EXAMPLES)
def tail(
    types: Annotated[
        list[str] | None, typer.Argument(metavar="TYPE...", help="Event types, or patterns.")
    ] = None,
    subscription: Annotated[
        str,
        typer.Option(
            "--subscription", help="Follow this subscription instead; its delivery is `stream`."
        ),
    ] = "",
    start: Start = "",
    after: After = "",
    count: Annotated[int, typer.Option("--count", "-n", min=0, help="Exit after N events.")] = 0,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print each event as CloudEvents JSON on one line.")
    ] = False,
    profile: ProfileName = "default",
) -> None:
    """Print events of TYPE as they come, one line each, until Ctrl-C.

    Makes a temporary subscription and removes it at the end. After a lost connection it goes on
    where it was: no event is missed or repeated.
    """
    if bool(types) == bool(subscription):
        raise Failure("Give at least one TYPE, or --subscription NAME.")
    if subscription and start:
        raise Failure("--from needs TYPE. A named subscription has a start of its own.")
    if types and after:
        raise Failure("--after needs --subscription. Use --from with TYPE.")

    async def work(bus: Nusabus) -> None:
        if subscription:
            await _require_stream(bus, subscription)
            await until_signal(_print_all(bus, subscription, after, count, as_json=as_json))
        else:
            await until_signal(_tail(bus, types or [], start or "now", count, as_json=as_json))

    over(profile, work)


async def _require_stream(bus: Nusabus, name: str) -> None:
    found = await bus.call("GET", f"/v1/subscriptions/{name}")
    if found["delivery"] != "stream":
        raise Failure(
            f"The delivery of {name} is {found['delivery']}. `tail` needs a subscription whose "
            "delivery is stream, or a TYPE."
        )


async def _tail(bus: Nusabus, types: list[str], start: str, count: int, *, as_json: bool) -> None:
    async with _temporary(bus, types, start) as name:
        screen.err().print(f"[dim]Waiting for events. Subscription: {name}. Ctrl-C ends it.[/]")
        await _print_all(bus, name, "", count, as_json=as_json)


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


async def _print_all(bus: Nusabus, name: str, after: str, count: int, *, as_json: bool) -> None:
    """Print events until there are `count`, or until nobody reads the output."""
    printed = 0
    following = Streams(bus).follow(name, after=after, on_reconnect=_report)
    async with aclosing(following) as events:
        async for event in events:
            try:
                sys.stdout.write(f"{_json(event.text) if as_json else _line(event)}\n")
                sys.stdout.flush()
            except BrokenPipeError:
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                return
            printed += 1
            if printed == count:
                return


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
