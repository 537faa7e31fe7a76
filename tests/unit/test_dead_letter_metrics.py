"""Metrics of dead letters that nobody looks at, and the rules that watch them."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client import generate_latest

from gateway.base.telemetry import METRICS
from gateway.delivery.dead_letters import alerts
from gateway.delivery.store import UnseenDeadLetters

NOW = datetime(2026, 5, 4, tzinfo=UTC)
RULES = Path("deploy/k8s/alerts/dead-letters.yaml")


def unseen(name: str, count: int, age: int) -> UnseenDeadLetters:
    return UnseenDeadLetters("uji", name, count, NOW - timedelta(seconds=age))


def shown() -> dict[str, float]:
    """The samples, by subscription for the count and `subscription!` for the age."""
    found = {}
    for line in generate_latest(METRICS).decode().splitlines():
        match = re.match(r'nusabus_dead_letters_unseen(\w*)\{.*subscription="(.+)"\} (.+)', line)
        if match:
            found[match[2] + ("!" if match[1] else "")] = float(match[3])
    return found


def test_what_was_looked_at_is_shown_no_more() -> None:
    alerts.set_metrics([unseen("a", 3, 60), unseen("b", 1, 5)], NOW)
    assert shown() == {"a": 3, "a!": 60, "b": 1, "b!": 5}
    alerts.set_metrics([unseen("b", 1, 7)], NOW)
    assert shown() == {"b": 1, "b!": 7}
    alerts.set_metrics([], NOW)
    assert shown() == {}


def test_the_number_of_metrics_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alerts, "LABELLED", 2)
    found = [
        unseen(name, count, 10 * count) for name, count in zip("abcd", (4, 1, 2, 3), strict=True)
    ]
    alerts.set_metrics(found, NOW)
    assert shown() == {"a": 4, "a!": 40, "d": 3, "d!": 30, "*": 3, "*!": 20}
    alerts.set_metrics([], NOW)


def test_the_rules_watch_metrics_that_there_are() -> None:
    watched = re.findall(r"^ +expr: .*?(nusabus_\w+)", RULES.read_text(), re.MULTILINE)
    assert len(watched) == 2
    assert set(watched) <= {family.name for family in METRICS.collect()}
