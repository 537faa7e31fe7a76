"""A build replaces another one, and is killed at every step of it."""

import asyncio
import os
import signal
import sys
from pathlib import Path

from consumers.events import Event
from consumers.projection import live
from consumers.projection.definition import Connection
from consumers.projection.status import status
from tests.forked import spawn
from tests.guides import ROOT
from tests.integration.projections.counting import Counting, Doubling
from tests.integration.projections.memory_feed import COUNTED, MemoryJournal
from tests.integration.projections.working import (
    counts,
    effects_to,
    has_builds,
    until,
    working,
)

STEPS = {"build": 18, "compare": 12, "switch": 12, "drop": 8}
"""How many statements each step is killed before, at most; those behind its end kill nobody."""


async def test_killed_at_every_step(
    url: str, connection: Connection, journal: MemoryJournal, tmp_path: Path
) -> None:
    steps = Steps(url, journal, tmp_path)
    async with working(steps.first(), url, journal):
        await until(lambda: has_builds(connection, 1))
        await steps.take_killed("build")
        async with working(steps.second(), url, journal):
            for step in ("compare", "switch", "drop"):
                await steps.take_killed(step)
            await until(steps.all_sent)
    assert [each.version for each in (await status(connection, "counting")).builds] == [2]
    assert all(count >= 4 for count in steps.kills.values()), steps.kills
    lines = set(steps.effects.read_text().splitlines())
    assert sorted(line.split()[0] for line in lines) == sorted(steps.ids)  # a repeat is equal


class Steps:
    """The steps of a replacement, each killed again and again while events come."""

    def __init__(self, url: str, journal: MemoryJournal, folder: Path) -> None:
        self.url, self.journal, self.folder = url, journal, folder
        self.effects = folder / "effects"
        self.ids: list[str] = []
        self.kills = dict.fromkeys(STEPS, 0)

    def first(self) -> Counting:
        """Version 1."""
        return _to_file(Counting, self.effects)

    def second(self) -> Counting:
        """Version 2."""
        return _to_file(Doubling, self.effects)

    async def take_killed(self, step: str) -> None:
        """Take a step, killed before each of its statements, and then take it."""
        for statement in (*range(1, STEPS[step] + 1), 0):
            self.ids += [self.journal.append(each, {"n": 1}) for each in ("a", "b")]
            ended = await asyncio.to_thread(self._take, step, statement)
            assert ended == 0 or statement
            self.kills[step] += ended != 0
            await until(self._readers_see_everything)

    def _take(self, step: str, statement: int) -> int:
        """In a process of its own; how it ended."""
        self.journal.save(self.folder / "journal")
        log = self.folder / f"{step}-{statement}.log"
        arguments = (step, str(self.folder / "journal"), str(self.effects), str(statement))
        path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        process = spawn(
            (sys.executable, "-m", "tests.integration.projections.dying", *arguments),
            folder=ROOT,
            environ={**os.environ, "PYTHONPATH": path, "SERVICE_URL": self.url},
            log=log,
        )
        ended = process.wait()
        assert ended in (0, -signal.SIGKILL), log.read_text()
        return ended

    async def _readers_see_everything(self) -> bool:
        half = len(self.ids) // 2
        return await counts(self.url) == {"a": (half, half), "b": (half, half)}

    async def all_sent(self) -> bool:
        """Whether every event has had its effect."""
        lines = set(self.effects.read_text().splitlines())
        return {line.split()[0] for line in lines} >= set(self.ids)


def _to_file(base: type[Counting], file: Path) -> Counting:
    class ToFile(base):  # type: ignore[misc, valid-type]  # a class by its argument
        @live(COUNTED)
        async def send(self, event: Event, key: str) -> None:
            effects_to(file, event, key)

    return ToFile()
