"""A projection against a simple model, with connections cut at any statement (Hypothesis)."""

import asyncio
import json
from collections.abc import Coroutine
from typing import Any, ClassVar, TypeVar

import asyncpg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from consumers.outcomes import RetryPolicy
from consumers.projection import build_runner
from consumers.projection.build_runner import BuildRunner
from consumers.projection.definition import Connection
from consumers.projection.failures import EventFailed
from consumers.projection.parking import discard_first, retry_key
from consumers.projection.store import begin_build, create_tables, provide_build
from consumers.projection.switching import compare, drop, switch
from deploy.local.postgres import Postgres
from tests.integration.projections.counting import Counting
from tests.integration.projections.faults import cut_at
from tests.integration.projections.memory_feed import MemoryFeed, MemoryJournal
from tests.integration.projections.working import up_to
from tests.servers import as_owner, fresh_database

SUBJECTS = ("a", "b", "c")
CUTS = st.lists(st.tuples(st.integers(1, 12), st.booleans()), max_size=4)
T = TypeVar("T")


class Model:
    """What the projection must be: counts by subject, and events that are parked behind others."""

    def __init__(self) -> None:
        self.counts: dict[str, tuple[int, int]] = {}
        self.parked: dict[str, list[tuple[str, int]]] = {}

    def apply(self, subject: str, id: str, number: int) -> None:
        if self.parked.get(subject) or not self._counted(subject, number):
            self.parked.setdefault(subject, []).append((id, number))

    def discard_first(self, subject: str) -> None:
        if self.parked.get(subject):
            self.parked[subject].pop(0)

    def retry(self, subject: str) -> bool:
        """Whether all of them could be applied."""
        parked = self.parked.get(subject, [])
        while parked:
            if not self._counted(subject, parked[0][1]):
                return False
            parked.pop(0)
        return True

    def _counted(self, subject: str, number: int) -> bool:
        events, total = self.counts.get(subject, (0, 0))
        if total + number < 0:
            return False
        self.counts[subject] = events + 1, total + number
        return True


class ProjectionMachine(RuleBasedStateMachine):
    """Events, cuts, retries, discards, rebuilds; the active build is always as the model says."""

    url: ClassVar[str]
    cuts: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.journal, self.model, self.active = MemoryJournal(), Model(), 1
        self.connection: Connection = self.run(asyncpg.connect(self.url))
        self.projection = Counting()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    def teardown(self) -> None:
        self.run(self.connection.close())
        self.loop.close()

    @initialize()
    def begin(self) -> None:
        async def begin() -> None:
            schemas = await self.connection.fetch(
                "SELECT nspname FROM pg_namespace WHERE nspname ~ '^(projections|counting_.*)$'"
            )
            for row in schemas:
                await self.connection.execute(f"DROP SCHEMA {row['nspname']} CASCADE")
            await create_tables(self.connection)
            assert await provide_build(self.connection, Counting) == 1

        self.run(begin())

    @rule(
        events=st.lists(st.tuples(st.sampled_from(SUBJECTS), st.integers(-2, 3)), max_size=12),
        cuts=CUTS,
        batch=st.integers(1, 6),
    )
    def events_come(
        self, events: list[tuple[str, int]], cuts: list[tuple[int, bool]], batch: int
    ) -> None:
        waiting = [(s, self.journal.append(s, {"n": n}), n) for s, n in events]
        for subject, id, number in waiting:
            self.model.apply(subject, id, number)
        with cut_at(cuts) as cut:
            self.run(self._apply_all(self.active, batch))
        ProjectionMachine.cuts += len(cut)

    async def _apply_all(self, build: int, batch: int) -> None:
        feed = MemoryFeed(self.journal)
        runner = BuildRunner(self.projection, build, self.url, feed, batch=batch)
        task = asyncio.create_task(runner.run())
        await up_to(self.connection, self.journal, build)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    @rule(subject=st.sampled_from(SUBJECTS))
    def first_is_discarded(self, subject: str) -> None:
        self.model.discard_first(subject)
        key = f"/uji\n{subject}"
        self.run(discard_first(self.connection, "counting", self.active, key, "a test"))

    @rule(subject=st.sampled_from(SUBJECTS))
    def key_retried(self, subject: str) -> None:
        self._retry(subject)

    def _retry(self, subject: str) -> None:
        key = f"/uji\n{subject}"
        retrying = retry_key(self.connection, self.projection, self.active, key)
        if self.model.retry(subject):
            self.run(retrying)
        else:
            with pytest.raises(EventFailed):
                self.run(retrying)

    @rule(cuts=CUTS, batch=st.integers(1, 6))
    def rebuilt(self, cuts: list[tuple[int, bool]], batch: int) -> None:
        """A rebuild is equal once every key was retried: a discarded event may free others."""
        for subject in SUBJECTS:
            self._retry(subject)

        async def rebuild() -> None:
            build = await begin_build(self.connection, Counting)
            with cut_at(cuts) as cut:
                await self._apply_all(build, batch)
            ProjectionMachine.cuts += len(cut)
            comparison = await compare(self.connection, "counting", build)
            assert comparison.different == []
            await switch(self.connection, "counting", build)
            await drop(self.connection, "counting", self.active)
            self.active = build

        self.run(rebuild())

    @invariant()
    def active_build_is_as_the_model_says(self) -> None:
        async def look() -> tuple[dict[str, tuple[int, int]], list[tuple[str, str]]]:
            schema = await self.connection.fetchval(
                "SELECT schema FROM projections.builds WHERE build = $1", self.active
            )
            rows = await self.connection.fetch(f"SELECT * FROM {schema}.counts")
            parked = await self.connection.fetch(
                "SELECT key, event FROM projections.parked_events ORDER BY number"
            )
            return (
                {row["subject"]: (row["events"], row["total"]) for row in rows},
                [(row["key"][5:], json.loads(row["event"])["id"]) for row in parked],
            )

        counted, parked = self.run(look())
        assert counted == self.model.counts
        for subject in SUBJECTS:
            assert [id for key, id in parked if key == subject] == [
                id for id, _ in self.model.parked.get(subject, [])
            ]


@pytest.mark.timeout(300)
def test_a_projection_is_as_its_model_says(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once = RetryPolicy(first_delay=0.001, longest_delay=0.001)
    monkeypatch.setattr(build_runner, "_PAUSE", at_once)
    monkeypatch.setattr(build_runner, "IDLE", 0.01)
    ProjectionMachine.url = as_owner(fresh_database(postgres))
    ProjectionMachine.cuts = 0
    run_state_machine_as_test(
        ProjectionMachine,
        settings=settings(
            max_examples=15,
            stateful_step_count=12,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert ProjectionMachine.cuts > 10
