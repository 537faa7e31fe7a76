"""`nusabus requests`: ask, look for the reply, answer."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, TypeVar

import typer

from adapters.cli import given, screen
from adapters.cli.exits import Exit, Failure
from adapters.cli.session import AsJson, ProfileName, over
from adapters.client import Nusabus, Requests, RequestView

app = typer.Typer(help="Requests and their replies.", no_args_is_help=True)
T = TypeVar("T")
DAY = 86_400
Id = Annotated[str, typer.Argument(help="As `ask` names it, or the Location of the request.")]
Wait = Annotated[int, typer.Option("--wait", min=0, max=DAY, help="Seconds to wait for the reply.")]
CODES = "Exit code 0: there is a reply. 2: none yet. 1: none came in time, or it was refused."


class NoResponder(StrEnum):
    """What becomes of a request that nobody answers now."""

    REFUSE = "refuse"
    WAIT = "wait"


@app.command(epilog=CODES)
def ask(  # noqa: PLR0913 - each is an option of the command
    file: given.File = "-",
    type: given.Type = "",
    source: given.Source = "",
    subject: given.Subject = "",
    id: given.Id = "",
    whole: Annotated[
        bool, typer.Option(given.WHOLE, help="The file holds a whole CloudEvent in JSON.")
    ] = False,
    within: Annotated[
        int,
        typer.Option(min=0, max=DAY, help="Seconds until the deadline, 30 if nothing is said."),
    ] = 0,
    wait: Wait = 10,
    no_responder: Annotated[
        NoResponder, typer.Option(help="Where nobody answers this type now.")
    ] = NoResponder.REFUSE,
    as_json: AsJson = False,
    profile: ProfileName = "default",
) -> int:
    """Ask a question and print the data of the reply; with --json the request as it stands.

    Asking the same event again, by --id and --source, is the same request; --within makes it
    another one, as the deadline is part of it.
    """
    content = given.read(file)
    event = content if whole else given.event(content, type, source, subject, id)
    if not isinstance(event, dict):
        raise Failure(f"{file} holds no CloudEvent: a request is one JSON object")
    if within:
        until = datetime.now(UTC) + timedelta(seconds=within)
        event |= {"expirytime": until.isoformat()}
    needed = no_responder is NoResponder.REFUSE
    found = _over(profile, lambda bus: bus.ask(event, wait=wait, needs_responder=needed))
    return _shown(found, as_json=as_json)


@app.command(epilog=CODES)
def show(id: Id, wait: Wait = 0, as_json: AsJson = False, profile: ProfileName = "default") -> int:
    """Look for the reply to a request that was asked before, and print it like `ask`."""
    found = _over(profile, lambda bus: bus.show(_id(id), wait=wait))
    return _shown(found, as_json=as_json)


@app.command()
def answer(
    request: Id,
    file: given.File = "-",
    source: given.Source = "",
    subject: given.Subject = "",
    id: given.Id = "",
    as_json: AsJson = False,
    profile: ProfileName = "default",
) -> int:
    """Answer a request that your organisation is asked with data. The first reply counts."""
    data = given.read(file)

    async def reply(bus: Requests) -> dict[str, Any]:
        asked = await bus.show(_id(request))
        event = given.event(data, f"{asked.type}.reply", source, subject, id)
        return await bus.answer(asked.id, event)

    answered = _over(profile, reply)
    if as_json:
        screen.print_json(answered)
    else:
        late = " [yellow]after the deadline[/]" if answered["late"] else ""
        again = " [dim](it was there already)[/]" if answered["duplicate"] else ""
        screen.out().print(f"[green]answered[/] {screen.safe(answered['request'])}{late}{again}")
    return Exit.OK


def _over(profile: str, work: Callable[[Requests], Awaitable[T]]) -> T:
    async def run(bus: Nusabus) -> T:
        return await work(Requests(bus))

    return over(profile, run)


def _id(text: str) -> str:
    return text.rpartition("/")[2]


def _shown(found: RequestView, *, as_json: bool) -> int:
    """Print the reply, say what is amiss beside it, and give the exit code."""
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
            return f"[yellow]late[/]: the deadline was {screen.safe(found.expires)}", Exit.OK
        case "waiting":
            again = f"nusabus requests show {screen.safe(found.id)} --wait 30"
            return f"no reply yet; until {screen.safe(found.expires)}: {again}", Exit.CHANGES
    refused = "".join(
        f"\n  {screen.safe(each['organisation'])} sent what was refused: "
        f"{screen.safe(each['reason'])}"
        for each in found.refused_replies
    )
    return f"[red]no reply came[/] until {screen.safe(found.expires)}{refused}", Exit.ERROR
