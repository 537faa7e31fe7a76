"""The checker: a run in which all went well passes, and each way of going wrong breaks its rule."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.faults.checker import check
from tests.faults.good_run import (
    OTHER,
    TYPE,
    a_delivery,
    a_good_run,
    a_lease_write,
    a_row,
    an_attempt,
    breaks,
)
from tests.faults.observed import DeadLetter, Minimum, Observed, wants
from tests.faults.run_log import Answer, Kind, KnownSubscription, Reply


def a_reply(status: int, **other: Any) -> Reply:
    """An answer without a receipt."""
    answer = Answer.UNKNOWN if status in (0, 500, 503) else Answer.REFUSED
    return replace(Reply(answer, status), **other)


def lose(seen: Observed) -> None:
    seen.rows = seen.rows[:-1]


def store_other_content(seen: Observed) -> None:
    seen.rows = [*seen.rows[:-1], replace(seen.rows[-1], digest=b"other")]


def move(seen: Observed) -> None:
    seen.rows = [*seen.rows[:-1], replace(seen.rows[-1], shard=1, sequence=1)]


def store_twice(seen: Observed) -> None:
    again = replace(seen.rows[0], sequence=4)
    seen.rows = [*seen.rows, again]
    seen.run_log.attempt(an_attempt(again))


def flood(seen: Observed) -> None:
    row = a_row(1, source="/pajak/1")
    seen.run_log.attempts.extend(an_attempt(row, answered=2.0) for _ in range(30))


def call_the_first_a_duplicate(seen: Observed) -> None:
    first = seen.run_log.attempts[0]
    seen.run_log.attempts[0] = replace(first, reply=replace(first.reply, duplicate=True))


def store_what_was_refused(seen: Observed) -> None:
    row = a_row(4)
    seen.rows = [*seen.rows, row]
    seen.run_log.attempt(an_attempt(row, kind=Kind.INVALID, reply=a_reply(422)))


def store_what_nobody_sent(seen: Observed) -> None:
    seen.rows = [*seen.rows, a_row(4)]


def leave_a_gap(seen: Observed) -> None:
    seen.rows = [*seen.rows[:-1], replace(seen.rows[-1], sequence=4)]


def answer_with(status: int, kind: Kind) -> Callable[[Observed], None]:
    def damage(seen: Observed) -> None:
        seen.run_log.attempt(an_attempt(a_row(9), kind=kind, reply=a_reply(status)))

    return damage


def swap_in_the_journal(seen: Observed) -> None:
    first, second, third = seen.run_log.attempts
    seen.run_log.attempts[:] = [replace(first, order=2), replace(second, order=1), third]


def spread_a_key(seen: Observed) -> None:
    row = a_row(1, shard=1, id="e4")
    seen.rows = [*seen.rows, row]
    seen.run_log.attempt(an_attempt(row, order=4))


def deliver_not(seen: Observed) -> None:
    del seen.run_log.deliveries[1]


def deliver(**other: Any) -> Callable[[Observed], None]:
    def damage(seen: Observed) -> None:
        seen.run_log.delivery(a_delivery(seen.rows[0], **other))

    return damage


def deliver_what_came_before_the_start(seen: Observed) -> None:
    seen.run_log.subscriptions[0] = replace(seen.run_log.subscriptions[0], start_positions={0: 1})


def deliver_another_type(seen: Observed) -> None:
    seen.run_log.subscriptions[0] = replace(seen.run_log.subscriptions[0], types=(OTHER,))


def swap_deliveries(seen: Observed) -> None:
    seen.run_log.deliveries.reverse()


def reject_without_a_trace(seen: Observed) -> None:
    seen.run_log.deliveries[0] = replace(seen.run_log.deliveries[0], rejected=True)


def write_a_lease(**other: Any) -> Callable[[Observed], None]:
    def damage(seen: Observed) -> None:
        seen.journal_leases = [a_lease_write(**other)]

    return damage


def let(**values: Any) -> Callable[[Observed], None]:
    def damage(seen: Observed) -> None:
        for name, value in values.items():
            setattr(seen, name, value)

    return damage


def add_fault_result(**other: Any) -> Callable[[Observed], None]:
    def damage(seen: Observed) -> None:
        seen.run_log.fault_results[0] = replace(seen.run_log.fault_results[0], **other)

    return damage


def incident(seen: Observed) -> None:
    seen.run_log.incidents.append("relay-1 ended with 1")


DAMAGES: list[tuple[str, Callable[[Observed], None]]] = [
    ("stored", lose),
    ("stored", store_other_content),
    ("stored", move),
    ("duplicates", store_twice),
    ("duplicates", call_the_first_a_duplicate),
    ("invented", store_what_was_refused),
    ("invented", store_what_nobody_sent),
    ("invented", store_other_content),
    ("answers", answer_with(500, Kind.REPEAT)),
    ("answers", answer_with(503, Kind.NEW)),
    ("answers", answer_with(403, Kind.NEW)),
    ("answers", answer_with(422, Kind.CONFLICT)),
    ("gapless", leave_a_gap),
    ("once", store_twice),
    ("publish-order", swap_in_the_journal),
    ("publish-order", spread_a_key),
    ("delivered", deliver_not),
    ("unexpected", deliver(id="nobody's")),
    ("unexpected", deliver(digest=b"other")),
    ("unexpected", deliver(sequence="00-0000000000000009")),
    ("unexpected", deliver_what_came_before_the_start),
    ("unexpected", deliver_another_type),
    ("order", swap_deliveries),
    ("dead-letters", reject_without_a_trace),
    ("journal-leases", write_a_lease(writer="relay-2")),
    ("journal-leases", write_a_lease(cursor=9)),
    ("journal-leases", write_a_lease(epoch=5)),
    ("journal-leases", write_a_lease(epoch=6, expired_before=True)),
    ("journal-leases", write_a_lease(epoch=5, expired_before=True, holder="relay-2")),
    ("drained", let(unsettled="deliveries are open")),
    ("drained", let(backlog=1)),
    ("drained", let(held={"sub.bi.s": 1})),
    ("faults", let(planned=["kill-api", "kill-api"])),
    ("faults", add_fault_result(evidence=None)),
    ("faults", add_fault_result(recovered=False)),
    ("processes", incident),
    ("quotas", flood),
    ("enough", let(minimum=Minimum(accepted=4))),
    ("enough", let(minimum=Minimum(duplicates=1))),
    ("enough", let(minimum=Minimum(refused=1))),
    ("enough", let(minimum=Minimum(unknown=1))),
    ("enough", let(minimum=Minimum(stored_though_unknown=1))),
    ("enough", let(minimum=Minimum(delivered=5))),
    ("enough", let(minimum=Minimum(rejected=2))),
]


def test_a_good_run_breaks_no_rule() -> None:
    assert check(a_good_run()) == {}


@pytest.mark.parametrize(("rule", "damage"), DAMAGES)
def test_each_way_of_going_wrong_breaks_its_rule(
    rule: str, damage: Callable[[Observed], None]
) -> None:
    assert breaks(rule, damage)


def test_repeats_and_dead_letters_are_within_the_promise() -> None:
    seen = a_good_run()
    swap = [seen.run_log.deliveries[n] for n in (0, 1, 0, 2, 1, 3)]
    seen.run_log.deliveries[:] = swap  # repeats, as after a reconnect
    row = a_row(4)
    seen.rows = [*seen.rows, row]
    unknown = an_attempt(row, reply=a_reply(503))
    seen.run_log.attempt(unknown)
    duplicate = replace(an_attempt(row).reply, duplicate=True)
    seen.run_log.attempt(an_attempt(row, reply=duplicate, sent=5.0, answered=6.0))
    seen.dead = [*seen.dead, *(DeadLetter(f"sub.bi.{s}", row.source, row.id) for s in "sc")]
    assert check(seen) == {}


@pytest.mark.parametrize(
    ("pattern", "type", "wanted"),
    [
        (TYPE, TYPE, True),
        (TYPE, OTHER, False),
        ("id.go.bps.*", TYPE, True),
        ("id.go.*.statistik.*.v1", TYPE, True),
        ("id.go.bps.*", OTHER, False),
        ("id.go.*", OTHER, True),
        ("id.go.bps.statistik.diperbarui.v1", f"{TYPE}0", False),
    ],
)
def test_types_are_matched_word_by_word(pattern: str, type: str, wanted: bool) -> None:
    subscription = KnownSubscription("s", "q", (pattern,), False, {0: 0})
    assert wants(subscription, a_row(1, type=type)) is wanted
