"""`plan`, `apply` and `pull`: from files to the registry, and back."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from adapters.cli import failures, screen
from adapters.cli.contracts import rendering
from adapters.cli.contracts.apply import AppliedStep, apply
from adapters.cli.contracts.conversion import embedded
from adapters.cli.contracts.folder import Contract, read
from adapters.cli.contracts.plan import ContractPlan, Kind, plan
from adapters.cli.contracts.pull import pull
from adapters.cli.contracts.registry import Registry
from adapters.cli.exits import Exit, Failure
from adapters.cli.flags import AsJson, ProfileName
from adapters.cli.session import over
from adapters.client import Nusabus

app = typer.Typer()
Folder = Annotated[
    Path, typer.Argument(help="Folder of contracts, such as schemas/", file_okay=False)
]


@app.command("plan")
def plan_command(
    folder: Folder,
    check: Annotated[
        bool, typer.Option("--check", help="Exit with 2 for changes, with 3 for breaking ones.")
    ] = False,
    as_json: AsJson = False,
    profile: ProfileName = "default",
) -> int:
    """Show what [bold]apply[/] would do. Changes nothing."""
    contracts = read(folder)
    plans = over(profile, lambda bus: _planned(Registry(bus), contracts))
    _show(plans, as_json=as_json)
    return _exit(plans) if check else Exit.OK


@app.command("apply")
def apply_command(
    folder: Folder,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    breaking: Annotated[
        bool,
        typer.Option(
            help="Also register breaking versions, as drafts that another administrator approves."
        ),
    ] = False,
    as_json: AsJson = False,
    profile: ProfileName = "default",
) -> int:
    """Register and change contracts as the files say. Deletes nothing."""
    contracts = read(folder)

    async def work(bus: Nusabus) -> tuple[list[ContractPlan], list[AppliedStep]]:
        registry = Registry(bus)
        plans = await _planned(registry, contracts)
        if not as_json:
            _show(plans, as_json=False)
        if _exit(plans) is Exit.OK:
            return plans, []
        if not yes:
            _confirm(as_json=as_json)
        return plans, await apply(registry, plans, breaking=breaking)

    plans, applied = over(profile, work)
    _report(plans, applied, as_json=as_json)
    if any(each.problem for each in applied):
        return Exit.ERROR
    left = {Kind.REFUSED} if breaking else {Kind.REFUSED, Kind.BREAKING}
    return Exit.BREAKING if any(each.kind in left for each in plans) else Exit.OK


@app.command("pull")
def pull_command(
    folder: Folder,
    owner: Annotated[str, typer.Option(help="Only the contracts of this organisation.")] = "",
    as_json: AsJson = False,
    profile: ProfileName = "default",
) -> None:
    """Write registered contracts to files. The same content gives the same bytes."""
    query = {"owner": owner} if owner else {}
    written, same = over(profile, lambda bus: pull(Registry(bus), folder, query))
    if as_json:
        screen.print_json({"written": [str(each) for each in written], "unchanged": same})
        return
    for path in written:
        screen.out().print(f"[green]wrote[/] {path}")
    screen.out().print(f"{len(written)} files written, {same} unchanged.")


async def _planned(registry: Registry, contracts: Sequence[Contract]) -> list[ContractPlan]:
    plans = await plan(registry, await embedded(registry, contracts))
    if left := len(contracts) - len(plans):
        screen.err().print(f"[dim]Left out: {left} of organisations that you do not administer.[/]")
    return plans


def _exit(plans: Sequence[ContractPlan]) -> Exit:
    severest = max((each.kind.rank for each in plans), default=0)
    if severest >= Kind.BREAKING.rank:
        return Exit.BREAKING
    return Exit.CHANGES if severest else Exit.OK


def _show(plans: Sequence[ContractPlan], *, as_json: bool) -> None:
    if as_json:
        screen.print_json({"contracts": [each.as_json() for each in plans]})
        return
    for line in rendering.of_plan(plans):
        screen.out().print(line)


def _confirm(*, as_json: bool) -> None:
    if as_json or not sys.stdin.isatty():
        raise Failure("Cannot ask for confirmation. Repeat with --yes to apply the plan.")
    typer.confirm("Apply this plan?", abort=True, err=True)


def _report(
    plans: Sequence[ContractPlan], applied: Sequence[AppliedStep], *, as_json: bool
) -> None:
    if as_json:
        done = [_as_json(each) for each in applied]
        plan = [each.as_json() for each in plans]
        screen.print_json({"contracts": plan, "applied": done})
        return
    for each in applied:
        what = "contract" if each.step.number is None else f"version {each.step.number}"
        if each.problem is None:
            state = f" [dim]({each.state})[/]" if each.state else ""
            screen.out().print(f"[green]applied[/] {each.type} {what}{state}")
        else:
            screen.out().print(f"[red]refused[/] {each.type} {what}")
            failures.fail(each.problem)


def _as_json(applied: AppliedStep) -> dict[str, object]:
    problem = applied.problem and (dict(applied.problem.document) or str(applied.problem))
    about = {"type": applied.type, "version": applied.step.number, "state": applied.state}
    return {**about, "problem": problem}
