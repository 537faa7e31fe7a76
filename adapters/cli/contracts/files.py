"""`plan`, `apply` and `pull`: the registry from files, and files from the registry."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from adapters.cli import screen
from adapters.cli.contracts import lines
from adapters.cli.contracts.apply import Applied, apply
from adapters.cli.contracts.folder import read
from adapters.cli.contracts.plan import Kind, Planned, plan
from adapters.cli.contracts.pull import pull
from adapters.cli.contracts.registry import Registry
from adapters.cli.exits import Exit, Failure
from adapters.cli.session import AsJson, ProfileName, over
from adapters.client import Nusabus

app = typer.Typer()
Folder = Annotated[Path, typer.Argument(help="Such as schemas/.", file_okay=False)]


@app.command("plan")
def plan_command(
    folder: Folder,
    check: Annotated[
        bool, typer.Option("--check", help="Exit with 2 for changes, 3 for breaking ones.")
    ] = False,
    as_json: AsJson = False,
    profile: ProfileName = "default",
) -> int:
    """Show what [bold]apply[/] would do, and change nothing."""
    contracts = read(folder)
    plans = over(profile, lambda bus: plan(Registry(bus), contracts))
    _show(plans, as_json=as_json)
    return _exit(plans) if check else Exit.OK


@app.command("apply")
def apply_command(
    folder: Folder,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    breaking: Annotated[
        bool,
        typer.Option(help="Register breaking versions too, as drafts that another must approve."),
    ] = False,
    as_json: AsJson = False,
    profile: ProfileName = "default",
) -> int:
    """Bring the registry to what the files say. Nothing is ever deleted."""
    contracts = read(folder)

    async def work(bus: Nusabus) -> tuple[list[Planned], list[Applied]]:
        registry = Registry(bus)
        plans = await plan(registry, contracts)
        if not as_json:
            _show(plans, as_json=False)
        if _exit(plans) is Exit.OK:
            return plans, []
        if not yes:
            _ask(as_json=as_json)
        return plans, await apply(registry, plans, breaking=breaking)

    plans, applied = over(profile, work)
    _tell(plans, applied, as_json=as_json)
    if any(each.problem for each in applied):
        return Exit.ERROR
    left = {Kind.REFUSED} if breaking else {Kind.REFUSED, Kind.BREAKING}
    return Exit.BREAKING if any(planned.kind in left for planned in plans) else Exit.OK


@app.command("pull")
def pull_command(
    folder: Folder,
    owner: Annotated[str, typer.Option(help="Only the contracts of this organisation.")] = "",
    as_json: AsJson = False,
    profile: ProfileName = "default",
) -> None:
    """Write what the registry has to files; the same content gives the same bytes."""
    query = {"owner": owner} if owner else {}
    written, same = over(profile, lambda bus: pull(Registry(bus), folder, query))
    if as_json:
        screen.print_json({"written": [str(each) for each in written], "unchanged": same})
        return
    for path in written:
        screen.out().print(f"[green]wrote[/] {path}")
    screen.out().print(f"{len(written)} files written, {same} unchanged.")


def _exit(plans: Sequence[Planned]) -> Exit:
    gravest = max((planned.kind.rank for planned in plans), default=0)
    if gravest >= Kind.BREAKING.rank:
        return Exit.BREAKING
    return Exit.CHANGES if gravest else Exit.OK


def _show(plans: Sequence[Planned], *, as_json: bool) -> None:
    if as_json:
        screen.print_json({"contracts": [planned.as_json() for planned in plans]})
        return
    for line in lines.of_plan(plans):
        screen.out().print(line)


def _ask(*, as_json: bool) -> None:
    if as_json or not sys.stdin.isatty():
        raise Failure("nobody is there to ask: say --yes to apply the plan")
    typer.confirm("Apply this plan?", abort=True, err=True)


def _tell(plans: Sequence[Planned], applied: Sequence[Applied], *, as_json: bool) -> None:
    if as_json:
        done = [_as_json(each) for each in applied]
        plan = [planned.as_json() for planned in plans]
        screen.print_json({"contracts": plan, "applied": done})
        return
    for each in applied:
        what = "contract" if each.step.number is None else f"version {each.step.number}"
        if each.problem is None:
            state = f" [dim]({each.state})[/]" if each.state else ""
            screen.out().print(f"[green]applied[/] {each.type} {what}{state}")
        else:
            screen.out().print(f"[red]refused[/] {each.type} {what}")
            screen.fail(each.problem)


def _as_json(applied: Applied) -> dict[str, object]:
    problem = applied.problem and (dict(applied.problem.document) or str(applied.problem))
    about = {"type": applied.type, "version": applied.step.number, "state": applied.state}
    return {**about, "problem": problem}
