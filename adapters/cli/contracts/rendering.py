"""Plans and findings as readable lines, in Rich's markup."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from adapters.cli.contracts.difference import Difference
from adapters.cli.contracts.plan import ContractPlan, Kind, Step
from adapters.cli.screen import safe

COLOURS = {
    Kind.SAME: "dim",
    Kind.NEW: "green",
    Kind.CHANGED: "yellow",
    Kind.BREAKING: "red",
    Kind.REFUSED: "red",
}
LEVELS = {"error": "red", "warning": "yellow", "info": "cyan"}
_MARKS = {"added": "green", "removed": "red", "changed": "yellow"}
_LISTED = 10  # subscriptions and publishers that are listed
_encode = msgspec.json.Encoder(decimal_format="number").encode


def of_plan(plans: Sequence[ContractPlan]) -> Iterator[str]:
    """The lines of a plan; unchanged contracts are only counted."""
    for each in plans:
        if each.kind is not Kind.SAME:
            yield from _of_contract(each)
    yield summary(plans)


def summary(plans: Sequence[ContractPlan]) -> str:
    """The number of contracts of each kind."""
    count = Counter(each.kind for each in plans)
    counts = [f"[{COLOURS[kind]}]{count[kind]} {kind}[/]" for kind in Kind if count[kind]]
    return f"Plan: {', '.join(counts)}." if counts else "Plan: nothing."


def _of_contract(each: ContractPlan) -> Iterator[str]:
    colour = COLOURS[each.kind]
    yield f"[{colour} bold]{each.kind:<8}[/] [bold]{each.contract.type}[/]"
    for step in each.steps:
        yield from _of_step(step)
    for note in each.notes:
        yield f"  [dim]{safe(note)}[/]"
    yield ""


def _of_step(step: Step) -> Iterator[str]:
    what = "the contract" if step.number is None else f"version {step.number}"
    yield f"  [{COLOURS[step.kind]}]{step.kind}[/] {what}"
    for each in step.differences:
        yield f"    {of_difference(each)}"
    if step.reason:
        yield f"    [red]{safe(step.reason)}[/]"
    yield from of_report(step.report)


def of_difference(difference: Difference) -> str:
    """One difference in its colour."""
    return f"[{_MARKS[difference.kind]}]{safe(difference.line())}[/]"


def of_report(report: Mapping[str, Any]) -> Iterator[str]:
    """The comparison of a version, and its impact."""
    comparison = report.get("compatibility")
    if comparison:
        yield from _of_comparison(comparison)
    impact = report.get("impact")
    if impact:
        receivers = [f"{each['organisation']}/{each['name']}" for each in impact["subscriptions"]]
        publishers = [each["organisation"] for each in impact["publishers"]]
        counts = _several(receivers, "subscription"), _several(publishers, "publisher")
        yield f"    affects {', '.join(counts)}"


def _of_comparison(comparison: Mapping[str, Any]) -> Iterator[str]:
    outcome, rule = comparison["outcome"], f"{comparison['mode']}, {comparison['policy']}"
    if comparison["mode"].startswith("full") and "direction" in comparison:
        rule += f", {comparison['direction']}"
    if outcome == "compatible":
        yield f"    [green]compatible[/] [dim]({rule})[/]"
        return
    against = f"with version {comparison['against']}"
    part = " in the reply" if comparison.get("part") == "reply" else ""
    yield f"    [red]{outcome}[/] {against}{part} [dim]({rule})[/]"
    if "reason" in comparison:
        yield f"    {safe(comparison['reason'])}"
    for change in comparison.get("changes", ()):
        yield f"    [cyan]{safe(change['pointer'] or '/')}[/] {safe(change['text'])}"
    if example := comparison.get("counterexample"):
        yield f"    for example {safe(_encode(example['document']).decode())}"
        yield f"      [dim]{safe(example['reason'])}[/]"


def of_finding(finding: Mapping[str, Any]) -> Iterator[str]:
    """One piece of advice."""
    colour = LEVELS[finding["level"]]
    where = f"{finding['document']}{finding['pointer']}"
    yield f"  [{colour}]{finding['level']:<7}[/] [cyan]{safe(where)}[/]"
    yield f"    {safe(finding['message'])} [dim]({finding['rule']})[/]"
    yield f"    [dim]{safe(finding['advice'])}[/]"


def _several(names: Sequence[str], noun: str) -> str:
    listed = ", ".join(names[:_LISTED]) + (", …" if len(names) > _LISTED else "")
    plural = "" if len(names) == 1 else "s"
    return f"{len(names)} {noun}{plural}" + (f" ({safe(listed)})" if names else "")
