"""Waiting for the age of an event."""

from collections.abc import Mapping
from typing import Any

from tests.bus import Bus
from tests.waiting import eventually


def aged(bus: Bus, receipt: Mapping[str, Any], seconds: float = 1.2) -> None:
    """Until an event is as old as that, by the clock of the database."""
    statement = "SELECT clock_timestamp() > $1::text::timestamptz + make_interval(secs => $2)"
    eventually(lambda: bus.query(statement, receipt["recordedtime"], seconds) == [(True,)])
