"""`approve`, `deprecate` and `retire`: the lifecycle of versions."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Annotated, Any

import typer

from adapters.cli import screen
from adapters.cli.contracts import rendering
from adapters.cli.contracts.queries import TypeArgument
from adapters.cli.exits import Failure
from adapters.cli.flags import AsJson, ProfileName
from adapters.cli.session import over
from adapters.client import Contracts, Nusabus, Problem

app = typer.Typer()
VersionOrAll = Annotated[
    int, typer.Option("--version", "-v", min=0, help="A version. Default: all versions.")
]
Change = Callable[[Contracts, int], Awaitable[Mapping[str, Any]]]


@app.command()
def approve(
    type: TypeArgument,
    version: Annotated[int, typer.Argument(min=1, help="The number of a draft.")],
    as_json: AsJson = False,
    profile: ProfileName = "default",
) -> None:
    """Activate a breaking draft that another administrator has registered."""
    found = _changed(profile, type, lambda to, now: to.approve(type, version, revision=now))
    _print(found, as_json=as_json)


@app.command()
def deprecate(
    type: TypeArgument,
    version: VersionOrAll = 0,
    sunset: Annotated[str, typer.Option(help="When it stops working: 2027-01-31T00:00:00Z")] = "",
    successor: Annotated[str, typer.Option(help="The type to publish instead.")] = "",
    as_json: AsJson = False,
    profile: ProfileName = "default",
) -> None:
    """Deprecate a type, or one version of it. Publishers get a notice."""
    until, instead = _time(sunset) if sunset else None, successor or None
    found = _changed(
        profile,
        type,
        lambda to, now: to.deprecate(
            type, version or None, sunset=until, successor=instead, revision=now
        ),
    )
    _print(found, as_json=as_json)


@app.command()
def retire(
    type: TypeArgument,
    version: VersionOrAll = 0,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Retire, even if somebody is affected.")
    ] = False,
    as_json: AsJson = False,
    profile: ProfileName = "default",
) -> None:
    """Retire a type or a version: no event can be published. Without --yes, show the impact."""
    which = version or None
    if yes:
        found = _changed(profile, type, lambda to, now: to.retire(type, which, revision=now))
    else:
        found = over(profile, lambda bus: Contracts(bus).would_retire(type, which))
    if as_json:
        screen.print_json(found)
        return
    numbers = ", ".join(map(str, found["versions"])) or "none"
    done = "retired" if yes else "would be retired"
    screen.out().print(f"{type}: versions {numbers} {done}")
    for line in rendering.of_report({"impact": found["impact"]}):
        screen.out().print(line)
    if not yes:
        raise Failure("Nothing was retired. Repeat with --yes to retire.")


def _changed(profile: str, type: str, change: Change) -> Mapping[str, Any]:
    """Change the contract at its current revision. Raises Failure if it changes meanwhile."""

    async def work(bus: Nusabus) -> Mapping[str, Any]:
        contracts = Contracts(bus)
        now = (await contracts.show(type))["revision"]
        try:
            return await change(contracts, now)
        except Problem as problem:
            if problem.code == "precondition-failed":
                raise Failure("The contract has changed meanwhile. Try again.") from None
            raise

    return over(profile, work)


def _time(text: str) -> datetime:
    """A time with a zone. Raises Failure."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        time = datetime.min  # noqa: DTZ901 - has no zone either
    if time.tzinfo is None:
        raise Failure(f"{text!r} is not a time with a zone, such as 2027-01-31T00:00:00+07:00.")
    return time


def _print(body: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        screen.print_json(body)
        return
    states = ", ".join(f"{each['version']} {each['state']}" for each in body["versions"])
    screen.out().print(f"{screen.safe(body['type'])}: {screen.safe(states)}")
