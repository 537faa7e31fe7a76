"""Numbers: gathered, joined to ratios, shown as a table, written as JSON."""

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

FILE = Path(__file__).with_name("results.json")
COSTS = ("service", "postgres", "relay", "broker", "client")


@dataclass(frozen=True)
class Sample:
    """One run: events per second, latencies in milliseconds, CPU microseconds per event."""

    rate: float
    p50: float | None = None
    p99: float | None = None
    costs: dict[str, float] = field(default_factory=dict)
    first: float | None = None  # events per second as answered in the first second
    last: float | None = None  # and in the last one


@dataclass(frozen=True)
class Row:
    """All runs of one thing."""

    key: str
    what: str
    samples: tuple[Sample, ...]

    @property
    def rate(self) -> float:
        """Events per second, the median of the runs."""
        return median(each.rate for each in self.samples)

    def latency(self, name: str) -> float | None:
        """The median of `p50` or `p99`; None where it was not measured."""
        found = [getattr(each, name) for each in self.samples]
        return None if None in found else median(found)

    def second(self, name: str) -> float | None:
        """The median of the rates in the `first` or `last` second; None if not measured."""
        found = [each for sample in self.samples if (each := getattr(sample, name)) is not None]
        return median(found) if found else None

    def cost(self, group: str) -> float | None:
        """CPU microseconds per event, the median of the runs."""
        found = [each.costs[group] for each in self.samples if group in each.costs]
        return median(found) if found else None


@dataclass(frozen=True)
class Value:
    """One entry of results.json. `aim` is shown, never asserted."""

    key: str
    value: float
    unit: str
    detail: str
    aim: str = ""


@dataclass
class Results:
    """What a bench has found so far."""

    rows: list[Row] = field(default_factory=list)
    values: list[Value] = field(default_factory=list)
    where: str = ""  # on which machine, and with which servers

    def write(self, file: Path) -> None:
        """All values, rows included, as JSON."""
        found = [Value("where", os.cpu_count() or 0, "processors", self.where), *self.values]
        for row in self.rows:
            detail = f"{row.what}; {len(row.samples)} runs: " + ", ".join(
                f"{each.rate:.0f}" for each in row.samples
            )
            found.append(Value(f"{row.key}_rate", row.rate, "events/s", detail))
            for name in ("first", "last"):
                rate = row.second(name)
                if rate is not None:
                    found.append(Value(f"{row.key}_{name}_second", rate, "events/s", row.what))
            for name in ("p50", "p99"):
                latency = row.latency(name)
                if latency is not None:
                    found.append(Value(f"{row.key}_{name}", latency, "ms", row.what))
            for group in COSTS:
                cost = row.cost(group)
                if cost is not None:
                    found.append(Value(f"{row.key}_cpu_{group}", cost, "us/event", row.what))
        text = [{**asdict(each), "value": round(each.value, 4)} for each in found]
        file.write_text(json.dumps(text, indent=1) + "\n")

    def show(self, console: Console) -> None:
        """One table of rates and costs, and the ratios below it."""
        if self.where:
            console.print(self.where)
        if self.rows:
            console.print(_rates(self.rows))
        if self.values:
            console.print(_ratios(self.values))


def by_round(key: str, ratios: Sequence[float], what: str, aim: str = "") -> Value:
    """The median of the ratios that the rounds of a part have found, and each of them."""
    rounds = ", ".join(f"{ratio:.2f}" for ratio in ratios)
    return Value(key, median(ratios), "ratio", f"{what}, by round: {rounds}", aim)


def ratio(over: Row, under: Row, name: str = "rate") -> float:
    """The median of the ratios round by round: what disturbed a round disturbed both."""
    pairs = zip(over.samples, under.samples, strict=True)
    found: list[float] = [getattr(a, name) / getattr(b, name) for a, b in pairs]
    return median(found)


def _rates(rows: Iterable[Row]) -> Table:
    table = Table(title="Events per second, and CPU microseconds per event by process")
    table.add_column("", no_wrap=True)
    for name in (
        "events/s",
        "lowest",
        "highest",
        "first s",
        "last s",
        "p50 ms",
        "p99 ms",
        *COSTS,
        "sum",
    ):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        rates = [each.rate for each in row.samples]
        costs = [row.cost(group) for group in COSTS]
        known = [cost for cost in costs if cost is not None]
        table.add_row(
            row.what,
            *(f"{rate:,.0f}" for rate in (row.rate, min(rates), max(rates))),
            *(_whole(row.second(name)) for name in ("first", "last")),
            *(_number(row.latency(name)) for name in ("p50", "p99")),
            *(_number(cost) for cost in costs),
            _number(sum(known) if known else None),
        )
    return table


def _ratios(values: Sequence[Value]) -> Table:
    table = Table(title="Side by side, in the same run on the same machine")
    for name in ("key", "value", "unit", "aim", "detail"):
        table.add_column(name, justify="right" if name == "value" else "left")
    for each in values:
        table.add_row(each.key, f"{each.value:.2f}", each.unit, each.aim, each.detail)
    return table


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


def _whole(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}"
