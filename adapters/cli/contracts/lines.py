"""Plans and findings as people read them, in Rich's markup."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from adapters.cli.contracts.difference import Difference
from adapters.cli.contracts.plan import Kind, Planned, Step
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
_LISTED = 10  # subscriptions and publishers that are named
_encode = msgspec.json.Encoder(decimal_format="number").encode


def of_plan(plans: Sequence[Planned]) -> Iterator[str]:
    """The whole plan: contracts that stay the same are only counted."""
    for planned in plans:
        if planned.kind is not Kind.SAME:
            yield from _of_contract(planned)
    yield summary(plans)


def summary(plans: Sequence[Planned]) -> str:
    """How many contracts are what."""
    count = Counter(planned.kind for planned in plans)
    told = [f"[{COLOURS[kind]}]{count[kind]} {kind}[/]" for kind in Kind if count[kind]]
    return f"Plan: {', '.join(told)}." if told else "Plan: nothing."


def _of_contract(planned: Planned) -> Iterator[str]:
    colour = COLOURS[planned.kind]
    yield f"[{colour} bold]{planned.kind:<8}[/] [bold]{planned.contract.type}[/]"
    for step in planned.steps:
        yield from _of_step(step)
    for note in planned.notes:
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
    """What the registry says of a version: compatible or not, why, and whom it hits."""
    verdict = report.get("compatibility")
    if verdict:
        yield from _of_verdict(verdict)
    impact = report.get("impact")
    if impact:
        readers = [f"{each['organisation']}/{each['name']}" for each in impact["subscriptions"]]
        writers = [each["organisation"] for each in impact["publishers"]]
        yield f"    hits {_several(readers, 'subscription')}, {_several(writers, 'publisher')}"


def _of_verdict(verdict: Mapping[str, Any]) -> Iterator[str]:
    outcome, rule = verdict["outcome"], f"{verdict['mode']}, {verdict['policy']}"
    if verdict["mode"].startswith("full") and "direction" in verdict:
        rule += f", {verdict['direction']}"
    if outcome == "compatible":
        yield f"    [green]compatible[/] [dim]({rule})[/]"
        return
    against = f"with version {verdict['against']}"
    part = " in the reply" if verdict.get("part") == "reply" else ""
    yield f"    [red]{outcome}[/] {against}{part} [dim]({rule})[/]"
    if "reason" in verdict:
        yield f"    {safe(verdict['reason'])}"
    for change in verdict.get("changes", ()):
        yield f"    [cyan]{safe(change['pointer'] or '/')}[/] {safe(change['text'])}"
    if example := verdict.get("counterexample"):
        yield f"    for example {safe(_encode(example['document']).decode())}"
        yield f"      [dim]{safe(example['reason'])}[/]"


def of_finding(finding: Mapping[str, Any]) -> Iterator[str]:
    """One piece of advice."""
    colour = LEVELS[finding["level"]]
    where = f"{finding['document']}{finding['pointer']}"
    yield f"  [{colour}]{finding['level']:<7}[/] [cyan]{safe(where)}[/]"
    yield f"    {safe(finding['message'])} [dim]({finding['rule']})[/]"
    yield f"    [dim]{safe(finding['advice'])}[/]"


def _several(names: Sequence[str], what: str) -> str:
    listed = ", ".join(names[:_LISTED]) + (", …" if len(names) > _LISTED else "")
    plural = "" if len(names) == 1 else "s"
    return f"{len(names)} {what}{plural}" + (f" ({safe(listed)})" if names else "")
