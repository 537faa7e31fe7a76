"""`nusabus requests`: ask, show, answer."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, TypeVar

import typer

from adapters.cli import event_input, screen
from adapters.cli.exits import Exit, Failure
from adapters.cli.flags import AsJson, ProfileName
from adapters.cli.session import over
from adapters.client import Nusabus, Requests, RequestView

app = typer.Typer(help="Requests and their replies.", no_args_is_help=True)
T = TypeVar("T")
DAY = 86_400
Id = Annotated[
    str, typer.Argument(help="The id that `ask` prints, or the Location of the request.")
]
Wait = Annotated[int, typer.Option("--wait", min=0, max=DAY, help="Seconds to wait for the reply.")]
CODES = "Exit code 0: there is a reply. 2: no reply yet. 1: no reply in time, or refused."


class NoResponder(StrEnum):
    """What to do with a request if nobody answers its type now."""

    REFUSE = "refuse"
    WAIT = "wait"


Within = Annotated[
    int, typer.Option(min=0, max=DAY, help="Seconds until the deadline. Default: 30.")
]


@app.command(epilog=CODES)
def ask(  # noqa: PLR0913 - each is an option of the command
    type: Annotated[str, typer.Argument(metavar="TYPE", help="The type of the request.")] = "",
    data: event_input.Data = "-",
    source: event_input.Source = "",
    subject: event_input.Subject = "",
    id: event_input.Id = "",
    event: Annotated[
        str,
        typer.Option("--event", metavar="JSON|@FILE|-", help="Send a whole CloudEvent instead."),
    ] = "",
    within: Within = 0,
    wait: Wait = 10,
    no_responder: Annotated[
        NoResponder, typer.Option(help="What to do if nobody answers this type now.")
    ] = NoResponder.REFUSE,
    as_json: AsJson = False,
    profile: ProfileName = "default",
) -> int:
    """Send a request and print the data of the reply. With --json, print the request.

    The same source and id is the same request. --within sets a deadline, which is part of the
    request: with another deadline it is another request.
    """
    if bool(type) == bool(event):
        raise Failure("Give TYPE and --data, or --event for a whole CloudEvent.")
    if event:
        request = event_input.read_json(event)
    else:
        content = event_input.read_json(data)
        request = event_input.an_event(type, content, source=source, subject=subject, id=id)
    if not isinstance(request, dict):
        raise Failure("--event is not a CloudEvent. A request is one JSON object.")
    if within:
        deadline = datetime.now(UTC) + timedelta(seconds=within)
        request |= {"expirytime": deadline.isoformat()}
    needed = no_responder is NoResponder.REFUSE
    found = _over(profile, lambda bus: bus.ask(request, wait=wait, needs_responder=needed))
    return _print(found, as_json=as_json)


@app.command(epilog=CODES)
def show(id: Id, wait: Wait = 0, as_json: AsJson = False, profile: ProfileName = "default") -> int:
    """Print the reply to a request that was sent before, as `ask` does."""
    found = _over(profile, lambda bus: bus.show(_id(id), wait=wait))
    return _print(found, as_json=as_json)


@app.command()
def answer(
    request: Id,
    data: event_input.Data = "-",
    source: event_input.Source = "",
    subject: event_input.Subject = "",
    id: event_input.Id = "",
    as_json: AsJson = False,
    profile: ProfileName = "default",
) -> int:
    """Answer a request to your organisation. Of several replies the first one counts."""
    content = event_input.read_json(data)

    async def reply(bus: Requests) -> dict[str, Any]:
        found = await bus.show(_id(request))
        reply_type = f"{found.type}.reply"
        event = event_input.an_event(reply_type, content, source=source, subject=subject, id=id)
        return await bus.answer(found.id, event)

    answered = _over(profile, reply)
    if as_json:
        screen.print_json(answered)
    else:
        late = " [yellow]after the deadline[/]" if answered["late"] else ""
        again = " [dim](duplicate: it was stored before)[/]" if answered["duplicate"] else ""
        screen.out().print(f"[green]answered[/] {screen.safe(answered['request'])}{late}{again}")
    return Exit.OK


def _over(profile: str, work: Callable[[Requests], Awaitable[T]]) -> T:
    async def run(bus: Nusabus) -> T:
        return await work(Requests(bus))

    return over(profile, run)


def _id(text: str) -> str:
    return text.rpartition("/")[2]


def _print(found: RequestView, *, as_json: bool) -> int:
    """Print the reply, and a note on standard error. Returns the exit code."""
    if as_json:
        screen.print_json(found)
    elif found.reply is not None:
        screen.print_json(found.reply.get("data"))
    note, code = _note(found)
    if note and not as_json:
        screen.err().print(note)
    return code


def _note(found: RequestView) -> tuple[str, Exit]:
    match found.state:
        case "answered":
            return "", Exit.OK
        case "answered-late":
            return f"[yellow]late[/]: the deadline was {screen.safe(found.deadline)}", Exit.OK
        case "waiting":
            again = f"nusabus requests show {screen.safe(found.id)} --wait 30"
            return f"No reply yet. Until {screen.safe(found.deadline)}, run: {again}", Exit.CHANGES
    refused = "".join(
        f"\n  A reply of {screen.safe(each['organisation'])} was refused: "
        f"{screen.safe(each['reason'])}"
        for each in found.refused_replies
    )
    return f"[red]No reply[/] until {screen.safe(found.deadline)}{refused}", Exit.ERROR
