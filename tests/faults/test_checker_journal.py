"""A failover begins an incarnation of the journal, and excuses nothing else."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.faults.checker_journal import gapless, journal_leases
from tests.faults.good_run import a_good_run, a_lease_write
from tests.faults.observed import Observed, SequenceGap


def a_run_with_a_failover() -> Observed:
    """The last of three entries came after it."""
    seen = a_good_run()
    seen.run_log.failovers = 1
    seen.gaps = [SequenceGap(2, 0, 2, 1_000_000_000)]
    seen.rows = [*seen.rows[:-1], replace(seen.rows[-1], sequence=1_000_000_001)]
    begun = a_lease_write(writer="nusabus", holder=None, epoch=1_000_000)
    seen.journal_leases = [*seen.journal_leases, begun]
    return seen


def fail_over_again(seen: Observed) -> None:
    """Without an entry meanwhile."""
    seen.run_log.failovers = 2
    seen.gaps = [*seen.gaps, SequenceGap(3, 0, 2, 2_000_000_000)]
    seen.rows = [*seen.rows[:-1], replace(seen.rows[-1], sequence=2_000_000_001)]


def test_a_failover_breaks_no_rule() -> None:
    seen = a_run_with_a_failover()
    assert [*gapless(seen), *journal_leases(seen)] == []
    fail_over_again(seen)
    assert [*gapless(seen), *journal_leases(seen)] == []


def begin_without_a_failover(seen: Observed) -> None:
    seen.run_log.failovers = 0


def begin_nothing(seen: Observed) -> None:
    seen.gaps = []


def go_on_within_the_gap(seen: Observed) -> None:
    seen.rows = [*seen.rows[:-1], replace(seen.rows[-1], sequence=3)]


def go_on_higher(seen: Observed) -> None:
    seen.rows = [*seen.rows[:-1], replace(seen.rows[-1], sequence=1_000_000_002)]


@pytest.mark.parametrize(
    "damage", [begin_without_a_failover, begin_nothing, go_on_within_the_gap, go_on_higher]
)
def test_sequences_are_gapless_within_an_incarnation(damage: Callable[[Observed], None]) -> None:
    seen = a_run_with_a_failover()
    damage(seen)
    assert [*gapless(seen)]


def test_leases_are_taken_away_once_for_each_failover() -> None:
    seen = a_run_with_a_failover()
    seen.journal_leases = [*seen.journal_leases, seen.journal_leases[-1]]
    assert [*journal_leases(seen)]
