"""A run in which all went well, as the checker sees it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from tests.faults.checker import judge
from tests.faults.endpoints import Mood
from tests.faults.ledger import (
    Answer,
    Attempt,
    Delivery,
    Interest,
    Kind,
    Ledger,
    Redriven,
    Replay,
    Reply,
    Shot,
)
from tests.faults.observed import (
    DeadLetter,
    Effect,
    FrontierMove,
    LeadWrite,
    Observed,
    Row,
    Told,
)

TYPE, OTHER = "id.go.bps.statistik.diperbarui.v1", "id.go.bmkg.gempa.terdeteksi.v1"


def breaks(rule: str, harm: Callable[[Observed], None]) -> bool:
    """Whether a good run that is harmed in this way breaks the rule."""
    seen = a_good_run()
    harm(seen)
    return rule in judge(seen)


def a_row(sequence: int, **other: Any) -> Row:
    """The n-th entry of shard 0, of key `k`."""
    return replace(Row(0, sequence, "/bps", f"e{sequence}", TYPE, "k", bytes([sequence])), **other)


def an_attempt(row: Row, **other: Any) -> Attempt:
    """The attempt that stored an entry."""
    reply = Reply(Answer.OK, 202, row.shard, row.sequence, row.digest)
    return replace(
        Attempt(
            row.source, row.id, row.type, row.digest, row.key, row.sequence, Kind.NEW, reply,
            float(row.sequence), row.sequence + 0.5,
        ),
        **other,
    )  # fmt: skip


def a_delivery(row: Row, **other: Any) -> Delivery:
    """The delivery of an entry to the subscription `s`."""
    return replace(
        Delivery(
            "s", row.source, row.id, row.type, row.digest, f"{row.shard:02}-{row.sequence:016}",
            False, False, float(row.sequence),
        ),
        **other,
    )  # fmt: skip


def a_lead_write(**other: Any) -> LeadWrite:
    """The lead `relay-1` moves its cursor."""
    write = LeadWrite(
        0, datetime(2023, 11, 5, tzinfo=UTC), "relay-1", "relay-1", "relay-1", 4, 4, 10, 12, False
    )
    return replace(write, **other)


def a_good_run() -> Observed:
    """Three events, all stored, delivered to an ordered subscription, and handled by a consumer.

    The last was a dead letter first, and the consumer refused the second.
    """
    rows = [a_row(n) for n in (1, 2, 3)]
    ledger = Ledger(
        interests=[
            Interest("s", "sub.bi.s", (TYPE,), True, {0: 0}, "webhook"),
            Interest("c", "sub.bi.c", (TYPE,), True, {0: 0}, "consumer"),
        ]
    )
    for row in rows:
        ledger.attempt(an_attempt(row))
        ledger.delivery(a_delivery(row))
    last = rows[-1]
    ledger.deliveries[-1] = a_delivery(last, rejected=True, taken=False)
    ledger.delivery(a_delivery(last, time=9.0))
    ledger.redriven.append(Redriven("sub.bi.s", last.source, last.id, 8.0, again=False))
    ledger.replays.append(Replay("s", rows[0].identity, "gone"))
    ledger.moods.update(Mood)
    ledger.shots.append(Shot("kill-api", 1.0, "it was gone", "", True))
    return Observed(
        ledger,
        rows,
        [a_lead_write()],
        [a_move()],
        [
            DeadLetter("sub.bi.s", last.source, last.id, "redriven"),
            DeadLetter("sub.bi.c", "/bps", "e2"),
        ],
        [Effect("c", n, "/bps", f"e{n}") for n in (1, 3)],
        [Told(0, n, "sub.bi.s", "acknowledged") for n in (1, 2, 3)]
        + [Told(0, n, "sub.bi.c", "dead" if n == 2 else "drained") for n in (1, 2, 3)],
        [row.place for row in rows],
        planned=["kill-api"],
        held={"sub.bi.s": 0},
    )


def a_move(**other: Any) -> FrontierMove:
    """`deliver-1` moves the frontier that it has the lease of."""
    at = datetime(2023, 11, 5, tzinfo=UTC)
    return replace(FrontierMove("s", 0, at, "deliver-1", "deliver-1", 10, 12), **other)
