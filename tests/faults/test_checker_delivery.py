"""The checker's rules about receiving: each way of going wrong breaks its rule."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.faults.checker import RULES
from tests.faults.good_run import a_move, breaks
from tests.faults.observed import Effect, Minimum, Observed, ReportedStage
from tests.faults.run_log import Replay
from tests.faults.test_checker import DAMAGES, let
from tests.faults.test_checker_streams import STREAM_DAMAGES


def effect(number: int, serial: int = 9) -> Callable[[Observed], None]:
    def damage(seen: Observed) -> None:
        seen.effects = [*seen.effects, Effect("c", serial, "/bps", f"e{number}")]

    return damage


def handle_late(seen: Observed) -> None:
    first, last = seen.effects
    seen.effects = [replace(first, serial=4), last]


def call_forged(seen: Observed) -> None:
    seen.run_log.forged.append("s: evt_1")


def follow_a_redirect(seen: Observed) -> None:
    seen.run_log.redirected_calls.append("s: a redirect was followed")


def move_a_cursor(**other: Any) -> Callable[[Observed], None]:
    def damage(seen: Observed) -> None:
        seen.moves = [a_move(**other)]

    return damage


def settle_by_an_old_token(seen: Observed) -> None:
    seen.run_log.replays.append(Replay("s", seen.rows[0].identity, "settled"))


def redrive(**other: Any) -> Callable[[Observed], None]:
    def damage(seen: Observed) -> None:
        seen.run_log.redriven[0] = replace(seen.run_log.redriven[0], **other)

    return damage


def take_not(seen: Observed) -> None:
    seen.run_log.deliveries[0] = replace(seen.run_log.deliveries[0], taken=False)


def lose_what_was_redriven(seen: Observed) -> None:
    seen.run_log.deliveries.pop()


def tell(position: int, stage: str | None, queue: str = "sub.bi.s") -> Callable[[Observed], None]:
    def damage(seen: Observed) -> None:
        kept = [t for t in seen.reported if (t.sequence, t.queue) != (position, queue)]
        seen.reported = kept + ([ReportedStage(0, position, queue, stage)] if stage else [])

    return damage


DELIVERY_DAMAGES: list[tuple[str, Callable[[Observed], None]]] = [
    ("delivered", lose_what_was_redriven),
    ("delivered", take_not),
    ("effects", effect(1)),
    ("effects", effect(7)),
    ("effects", handle_late),
    ("signatures", call_forged),
    ("signatures", follow_a_redirect),
    ("webhook-leases", move_a_cursor(holder="deliver-2")),
    ("webhook-leases", move_a_cursor(after=9)),
    ("tokens", settle_by_an_old_token),
    ("redriven", redrive(id="e1")),
    ("redriven", redrive(again=True)),
    ("redriven", redrive(time=0.5)),
    ("redriven", lose_what_was_redriven),
    ("agreed", tell(1, None)),
    ("agreed", tell(1, "open")),
    ("agreed", tell(1, "in-hands")),
    ("agreed", tell(1, "dead")),
    ("agreed", tell(1, "discarded")),
    ("agreed", tell(2, "drained", "sub.bi.c")),
    ("agreed", tell(1, "waiting", "sub.bi.c")),
    ("agreed", take_not),
    ("enough-received", let(minimum=Minimum(redriven=2))),
    ("enough-received", let(minimum=Minimum(replays=2))),
    ("enough-received", let(minimum=Minimum(actions=2))),
    ("enough-received", let(minimum=Minimum(reported=4))),
    ("enough-received", let(minimum=Minimum(delivered=3))),
]


@pytest.mark.parametrize(("rule", "damage"), DELIVERY_DAMAGES)
def test_each_way_of_going_wrong_breaks_its_rule(
    rule: str, damage: Callable[[Observed], None]
) -> None:
    assert breaks(rule, damage)


def test_every_rule_can_be_broken() -> None:
    every = (*DAMAGES, *DELIVERY_DAMAGES, *STREAM_DAMAGES)
    assert {rule for rule, _ in every} == set(RULES)
