"""Bringing the registry to what the files say."""

from collections.abc import Sequence
from dataclasses import dataclass

import httpx

from adapters.cli.contracts.plan import Kind, Planned, Step
from adapters.cli.contracts.registry import FACTS, Registry
from adapters.client import Problem


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of a step; `problem` says why it was not done."""

    type: str
    step: Step
    state: str = ""
    problem: Problem | None = None


async def apply(registry: Registry, plans: Sequence[Planned], *, breaking: bool) -> list[Applied]:
    """Carry out every step that may be; `breaking` steps too if that is said.

    A schema may need another one that is registered only later, so what was refused is tried
    again as long as anything else succeeds.
    """
    done: list[Applied] = []
    waiting = [each for each in plans if each.kind is not Kind.SAME]
    while waiting:
        again: list[Planned] = []
        tried: list[Applied] = []
        for planned in waiting:
            applied = await _apply(registry, planned, breaking=breaking)
            tried += applied
            if any(_may_need_others(each.problem) for each in applied):
                again.append(planned)
        if len(again) in (0, len(waiting)):
            return done + tried
        retried = {planned.contract.type for planned in again}
        done += [each for each in tried if each.type not in retried]
        waiting = again
    return done


async def _apply(registry: Registry, planned: Planned, *, breaking: bool) -> list[Applied]:
    """The steps of one contract, up to the first that is not done."""
    done: list[Applied] = []
    type = planned.contract.type
    created = planned.etag != ""
    for step in planned.steps:
        if step.kind is Kind.REFUSED or (step.kind is Kind.BREAKING and not breaking):
            continue
        try:
            state = await _carry_out(registry, planned, step, created=created)
        except Problem as problem:
            return [*done, Applied(type, step, problem=problem)]
        created = True
        done.append(Applied(type, step, state))
    return done


async def _carry_out(registry: Registry, planned: Planned, step: Step, *, created: bool) -> str:
    """One step; the state of the version that it brought.

    The first change names the state that the plan was made for, so nothing is overwritten that
    somebody else did since.
    """
    contract = planned.contract
    if not created:
        return str((await registry.create(contract))["version"]["state"])
    tag = planned.etag if step is planned.steps[0] else "*"
    if step.number is None:
        facts = {name: contract.about.get(name) for name in FACTS}
        await registry.change(contract.type, facts, tag)
        return ""
    answer = await registry.add(contract, step.number, tag, breaking=step.kind is Kind.BREAKING)
    return str(answer["version"]["state"])


def _may_need_others(problem: Problem | None) -> bool:
    return problem is not None and problem.status == httpx.codes.UNPROCESSABLE_ENTITY
