"""The checker's rules about receiving: each way of going wrong breaks its rule."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.faults.checker import RULES
from tests.faults.good_run import a_move, breaks
from tests.faults.ledger import Replay
from tests.faults.observed import Effect, Least, Observed, Told
from tests.faults.test_checker import HARMS, let


def effect(number: int, serial: int = 9) -> Callable[[Observed], None]:
    def harm(seen: Observed) -> None:
        seen.effects = [*seen.effects, Effect("c", serial, "/bps", f"e{number}")]

    return harm


def handle_late(seen: Observed) -> None:
    first, last = seen.effects
    seen.effects = [replace(first, serial=4), last]


def call_forged(seen: Observed) -> None:
    seen.ledger.forged.append("s: evt_1")


def follow_a_redirect(seen: Observed) -> None:
    seen.ledger.strays.append("s: a redirect was followed")


def move_a_frontier(**other: Any) -> Callable[[Observed], None]:
    def harm(seen: Observed) -> None:
        seen.moves = [a_move(**other)]

    return harm


def settle_by_an_old_token(seen: Observed) -> None:
    seen.ledger.replays.append(Replay("s", seen.rows[0].identity, "settled"))


def redrive(**other: Any) -> Callable[[Observed], None]:
    def harm(seen: Observed) -> None:
        seen.ledger.redriven[0] = replace(seen.ledger.redriven[0], **other)

    return harm


def take_not(seen: Observed) -> None:
    seen.ledger.deliveries[0] = replace(seen.ledger.deliveries[0], taken=False)


def lose_what_was_redriven(seen: Observed) -> None:
    seen.ledger.deliveries.pop()


def tell(place: int, stage: str | None, queue: str = "sub.bi.s") -> Callable[[Observed], None]:
    def harm(seen: Observed) -> None:
        kept = [t for t in seen.told if (t.sequence, t.queue) != (place, queue)]
        seen.told = kept + ([Told(0, place, queue, stage)] if stage else [])

    return harm


RECEIVING: list[tuple[str, Callable[[Observed], None]]] = [
    ("delivered", lose_what_was_redriven),
    ("delivered", take_not),
    ("effects", effect(1)),
    ("effects", effect(7)),
    ("effects", handle_late),
    ("signatures", call_forged),
    ("signatures", follow_a_redirect),
    ("leases", move_a_frontier(holder="deliver-2")),
    ("leases", move_a_frontier(after=9)),
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
    ("enough-received", let(least=Least(redriven=2))),
    ("enough-received", let(least=Least(replays=2))),
    ("enough-received", let(least=Least(moods=2))),
    ("enough-received", let(least=Least(told=4))),
    ("enough-received", let(least=Least(delivered=3))),
]


@pytest.mark.parametrize(("rule", "harm"), RECEIVING)
def test_each_way_of_going_wrong_breaks_its_rule(
    rule: str, harm: Callable[[Observed], None]
) -> None:
    assert breaks(rule, harm)


def test_every_rule_can_be_broken() -> None:
    assert {rule for rule, _ in (*HARMS, *RECEIVING)} == set(RULES)
