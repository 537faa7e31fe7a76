"""A run in which all went well, as the checker sees it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from tests.faults.checker import check
from tests.faults.endpoints import EndpointAction
from tests.faults.observed import (
    CursorMove,
    DeadLetter,
    Effect,
    JournalRow,
    LeaseWrite,
    Observed,
    ReportedStage,
)
from tests.faults.run_log import (
    Answer,
    Attempt,
    Delivery,
    FaultResult,
    Kind,
    KnownSubscription,
    Redriven,
    Replay,
    Reply,
    RunLog,
)

TYPE, OTHER = "id.go.bps.statistik.diperbarui.v1", "id.go.bmkg.gempa.terdeteksi.v1"


def breaks(rule: str, damage: Callable[[Observed], None]) -> bool:
    """Whether a good run that is harmed in this way breaks the rule."""
    seen = a_good_run()
    damage(seen)
    return rule in check(seen)


def a_row(sequence: int, **other: Any) -> JournalRow:
    """The n-th entry of shard 0, of key `k`."""
    return replace(
        JournalRow(0, sequence, "/bps", f"e{sequence}", TYPE, "k", bytes([sequence])), **other
    )


def an_attempt(row: JournalRow, **other: Any) -> Attempt:
    """The attempt that stored an entry."""
    reply = Reply(Answer.OK, 202, row.shard, row.sequence, row.digest)
    return replace(
        Attempt(
            row.source, row.id, row.type, row.digest, row.key, row.sequence, Kind.NEW, reply,
            float(row.sequence), row.sequence + 0.5,
        ),
        **other,
    )  # fmt: skip


def a_delivery(row: JournalRow, **other: Any) -> Delivery:
    """The delivery of an entry to the subscription `s`."""
    return replace(
        Delivery(
            "s", row.source, row.id, row.type, row.digest, f"{row.shard:02}-{row.sequence:016}",
            False, False, float(row.sequence),
        ),
        **other,
    )  # fmt: skip


def a_lease_write(**other: Any) -> LeaseWrite:
    """The lease holder `relay-1` moves its cursor."""
    write = LeaseWrite(
        0, datetime(2023, 11, 5, tzinfo=UTC), "relay-1", "relay-1", "relay-1", 4, 4, 10, 12, False
    )
    return replace(write, **other)


def a_good_run() -> Observed:
    """Three events, all stored, delivered to an ordered subscription, and handled by a consumer.

    The last was a dead letter first, and the consumer refused the second.
    """
    rows = [a_row(n) for n in (1, 2, 3)]
    run_log = RunLog(
        subscriptions=[
            KnownSubscription("s", "sub.bi.s", (TYPE,), True, {0: 0}, "webhook"),
            KnownSubscription("c", "sub.bi.c", (TYPE,), True, {0: 0}, "consumer"),
        ]
    )
    for row in rows:
        run_log.attempt(an_attempt(row))
        run_log.delivery(a_delivery(row))
    last = rows[-1]
    run_log.deliveries[-1] = a_delivery(last, rejected=True, taken=False)
    run_log.delivery(a_delivery(last, time=9.0))
    run_log.redriven.append(Redriven("sub.bi.s", last.source, last.id, 8.0, again=False))
    run_log.replays.append(Replay("s", rows[0].identity, "gone"))
    run_log.actions.update(EndpointAction)
    run_log.fault_results.append(FaultResult("kill-api", 1.0, "it was gone", "", True))
    return Observed(
        run_log,
        rows,
        [a_lease_write()],
        [a_move()],
        [
            DeadLetter("sub.bi.s", last.source, last.id, "redriven"),
            DeadLetter("sub.bi.c", "/bps", "e2"),
        ],
        [Effect("c", n, "/bps", f"e{n}") for n in (1, 3)],
        [ReportedStage(0, n, "sub.bi.s", "acknowledged") for n in (1, 2, 3)]
        + [ReportedStage(0, n, "sub.bi.c", "dead" if n == 2 else "drained") for n in (1, 2, 3)],
        [row.position for row in rows],
        planned=["kill-api"],
        held={"sub.bi.s": 0},
    )


def a_move(**other: Any) -> CursorMove:
    """`deliver-1` moves the cursor that it has the lease of."""
    at = datetime(2023, 11, 5, tzinfo=UTC)
    return replace(CursorMove("s", 0, at, "deliver-1", "deliver-1", 10, 12), **other)
