"""Applies a plan: registers and changes contracts."""

from collections.abc import Sequence
from dataclasses import dataclass

import httpx

from adapters.cli.contracts.plan import ContractPlan, Kind, Step
from adapters.cli.contracts.registry import FACTS, Registry
from adapters.client import Problem


@dataclass(frozen=True, slots=True)
class AppliedStep:
    """The result of a step; `problem` is set if it failed."""

    type: str
    step: Step
    state: str = ""
    problem: Problem | None = None


async def apply(
    registry: Registry, plans: Sequence[ContractPlan], *, breaking: bool
) -> list[AppliedStep]:
    """Carry out all possible steps; breaking ones only with `breaking`.

    A schema may refer to one that is registered later, so refused steps are repeated as long as
    others succeed.
    """
    done: list[AppliedStep] = []
    waiting = [each for each in plans if each.kind is not Kind.SAME]
    while waiting:
        again: list[ContractPlan] = []
        tried: list[AppliedStep] = []
        for plan in waiting:
            applied = await _apply(registry, plan, breaking=breaking)
            tried += applied
            if any(_may_need_others(each.problem) for each in applied):
                again.append(plan)
        if len(again) in (0, len(waiting)):
            return done + tried
        retried = {plan.contract.type for plan in again}
        done += [each for each in tried if each.type not in retried]
        waiting = again
    return done


async def _apply(registry: Registry, plan: ContractPlan, *, breaking: bool) -> list[AppliedStep]:
    """Carry out the steps of one contract, up to the first that fails."""
    done: list[AppliedStep] = []
    type = plan.contract.type
    created = plan.etag != ""
    for step in plan.steps:
        if step.kind is Kind.REFUSED or (step.kind is Kind.BREAKING and not breaking):
            continue
        try:
            state = await _carry_out(registry, plan, step, created=created, breaking=breaking)
        except Problem as problem:
            return [*done, AppliedStep(type, step, problem=problem)]
        created = True
        done.append(AppliedStep(type, step, state))
    return done


async def _carry_out(
    registry: Registry, plan: ContractPlan, step: Step, *, created: bool, breaking: bool
) -> str:
    """Carry out one step; returns the state of the version that it registered.

    The first change names the revision that was planned for, so it overwrites no newer change.
    """
    contract = plan.contract
    if not created:
        return str((await registry.create(contract))["version"]["state"])
    tag = plan.etag if step is plan.steps[0] else "*"
    if step.number is None:
        facts = {name: contract.about.get(name) for name in FACTS}
        await registry.change(contract.type, facts, tag, breaking=breaking)
        return ""
    answer = await registry.add(contract, step.number, tag, breaking=step.kind is Kind.BREAKING)
    return str(answer["version"]["state"])


def _may_need_others(problem: Problem | None) -> bool:
    return problem is not None and problem.status == httpx.codes.UNPROCESSABLE_ENTITY
