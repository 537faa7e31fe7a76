"""The demo's bookkeeping: nothing counts as received that is not what was sent."""

from typing import Any

import pytest

from deploy.local.demo_inboxes import Delivery
from deploy.local.demo_scenarios import GEMPA, STATISTIK, EventPlan, SubscriptionPlan
from deploy.local.demo_tally import Tally

POSKO = SubscriptionPlan("dinas", "posko", (GEMPA,))
BI = SubscriptionPlan("bi", "statistik", (STATISTIK,))
GEMPA_EVENT = {"id": "1", "source": "/bmkg", "type": GEMPA, "data": {"magnitudo": 5.6}}


@pytest.fixture
def tally() -> Tally:
    tally = Tally([POSKO, BI])
    tally.sending(EventPlan(GEMPA, "/bmkg", "bmg1"), GEMPA_EVENT, at=10.0)
    return tally


def arrive(tally: Tally, plan: SubscriptionPlan, **changed: Any) -> None:
    event = {**GEMPA_EVENT, "sequence": "00000001", **changed}
    tally.receive(Delivery(plan, event, at=10.25))


def test_an_event_as_it_was_sent_counts_with_its_time(tally: Tally) -> None:
    assert not tally.complete
    arrive(tally, POSKO)
    arrive(tally, POSKO)
    assert tally.complete
    assert str(tally.summary()) == "1 events, 1 of 1 deliveries, median 250 ms, at most 250 ms"


def test_one_that_does_not_come_is_missing(tally: Tally) -> None:
    assert "missing: bmkg.gempa.terdeteksi at dinas/posko" in str(tally.summary())


def test_one_that_was_changed_on_the_way_is_wrong(tally: Tally) -> None:
    arrive(tally, POSKO, data={"magnitudo": 6.5})
    assert not tally.complete
    assert "wrong: dinas/posko got bmkg.gempa.terdeteksi other than" in str(tally.summary())


def test_one_that_comes_to_somebody_else_is_wrong(tally: Tally) -> None:
    arrive(tally, POSKO)
    arrive(tally, BI)
    assert not tally.complete
    assert "wrong: bi/statistik got bmkg.gempa.terdeteksi, which" in str(tally.summary())


def test_one_of_an_earlier_run_is_only_counted(tally: Tally) -> None:
    arrive(tally, POSKO, id="0")
    assert not tally.complete
    assert "1 more had been waiting" in str(tally.summary())
