"""What each process spends: CPU time before and after, by group of processes."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Self

import psutil

Pids = Callable[[], Iterable[int | None]]


class CpuMeter:
    """Measures the CPU time of groups of processes, with all their descendants."""

    def __init__(self, groups: Mapping[str, Pids]) -> None:
        self._groups = groups
        self._before: dict[str, float] = {}

    def start(self) -> Self:
        """Begin to count."""
        self._before = self._read()
        return self

    def per_event(self, events: int) -> dict[str, float]:
        """Microseconds of CPU per event since the start, by group."""
        now = self._read()
        return {name: 1e6 * (now[name] - self._before[name]) / events for name in now}

    def _read(self) -> dict[str, float]:
        return {name: sum(map(_spent, pids())) for name, pids in self._groups.items()}


def resident(pid: int) -> int:
    """Bytes of memory that a process holds (RSS)."""
    return int(psutil.Process(pid).memory_info().rss)


def _spent(pid: int | None) -> float:
    """User and system seconds of a process and its descendants, dead ones included."""
    if pid is None:
        return 0.0
    total = 0.0
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        for each in (process, *process.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                total += sum(each.cpu_times()[:4])  # with the children it has waited for
    return total
