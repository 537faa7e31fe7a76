"""Rules about the journal's own bookkeeping: sequences and leases, also across failovers."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import groupby

from tests.faults.checker_delivery import Breaches
from tests.faults.observed import JournalRow, Observed, SequenceGap


def gapless(seen: Observed) -> Breaches:
    """The sequences of each shard are 1, 2, 3 and so on, and go on above a gap at a failover."""
    begun = len({gap.incarnation for gap in seen.gaps})
    if begun != seen.run_log.failovers:
        yield f"{begun} incarnations began at {seen.run_log.failovers} failovers"
    # The last one, where several begin without an entry between them.
    gaps = {(gap.shard, gap.restored + 1): gap.begins + 1 for gap in sorted(seen.gaps, key=_begins)}
    for shard, rows in _by_shard(seen.rows).items():
        expected = 1
        for row in rows:
            expected = gaps.get((shard, expected), expected)
            if row.sequence != expected:
                yield f"shard {shard} has {row.sequence} where {expected} was due"
                break
            expected += 1


def journal_leases(seen: Observed) -> Breaches:
    """One lease holder at a time: only it writes, epochs and cursors never go back.

    Whoever begins an incarnation of the journal takes every lease away, once for each failover.
    """
    voided: Counter[int] = Counter()
    for write in seen.journal_leases:
        if write.holder is None and write.epoch == _next_life(write.epoch_before):
            voided[write.shard] += 1
            if voided[write.shard] <= seen.run_log.failovers:
                continue
        taken = write.epoch != write.epoch_before
        what = f"{write.writer} on shard {write.shard} at {write.at:%H:%M:%S.%f}"
        if taken and not (write.epoch == write.epoch_before + 1 and write.expired_before):
            yield f"{what}: took a lease that had not expired"
        if taken and write.holder != write.writer:
            yield f"{what}: took the lease for {write.holder}"
        if not taken and write.writer != write.holder_before:
            yield f"{what}: wrote, but {write.holder_before} held epoch {write.epoch_before}"
        if write.cursor < write.cursor_before:
            yield f"{what}: moved the cursor back from {write.cursor_before} to {write.cursor}"


def _begins(gap: SequenceGap) -> int:
    return gap.begins


def _next_life(epoch: int) -> int:
    """The epoch that a lease has in the next incarnation of the journal (decision 0033)."""
    return (epoch // 1_000_000 + 1) * 1_000_000


def _by_shard(rows: Sequence[JournalRow]) -> Mapping[int, list[JournalRow]]:
    ordered = sorted(rows, key=lambda row: row.position)
    return {shard: list(some) for shard, some in groupby(ordered, key=lambda row: row.shard)}
