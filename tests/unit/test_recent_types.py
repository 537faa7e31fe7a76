"""What is known of the newest entries saves a scan only where the scan would find nothing."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from gateway.delivery.recent_types import RecentTypes
from gateway.journal import Cursor
from gateway.subscriptions import Subscription
from tests.builders import FREE, a_subscription

OTHER, THIRD = "id.go.uji.lain.dicatat.v1", "id.go.uji.ketiga.dicatat.v1"
TIME = datetime(2026, 5, 4, tzinfo=UTC)


def at(sequence: int) -> Cursor:
    return Cursor(sequence, TIME)


def a_subscription_to(*types: str) -> Subscription:
    return a_subscription(organisation="uji", name="uji", types=types)


def test_what_is_of_no_type_of_a_subscription_is_passed_over() -> None:
    recent, wanting, other = RecentTypes(), a_subscription_to(FREE), a_subscription_to(OTHER)
    recent.extend({}, {0: at(5)}, None)
    recent.extend({0: at(5)}, {0: at(7)}, {0: {OTHER}})
    assert recent.pass_over(wanting, 0, at(5)) == at(7)
    assert recent.pass_over(wanting, 0, at(6)) == at(7)
    assert recent.pass_over(other, 0, at(5)) == at(5)
    recent.extend({0: at(7)}, {0: at(9)}, {0: {FREE}})
    assert recent.pass_over(other, 0, at(7)) == at(9)
    assert recent.pass_over(wanting, 0, at(5)) == at(5)


def test_nothing_is_known_of_older_entries_and_of_other_shards() -> None:
    recent, wanting = RecentTypes(), a_subscription_to(FREE)
    assert recent.pass_over(wanting, 0, at(1)) == at(1)
    recent.extend({}, {0: at(5)}, None)
    recent.extend({0: at(5)}, {0: at(7)}, {})
    assert recent.pass_over(wanting, 0, at(4)) == at(4)
    assert recent.pass_over(wanting, 1, at(5)) == at(5)
    assert recent.pass_over(wanting, 0, at(8)) == at(8)


def test_what_was_not_read_begins_anew() -> None:
    recent, wanting = RecentTypes(), a_subscription_to(FREE)
    recent.extend({}, {0: at(5)}, None)
    recent.extend({0: at(5)}, {0: at(7)}, {})
    recent.extend({0: at(7)}, {0: at(9000)}, None)  # too many to read
    assert recent.pass_over(wanting, 0, at(7)) == at(7)
    recent.extend({0: at(8000)}, {0: at(9001)}, {})  # from another head than the last one
    assert recent.pass_over(wanting, 0, at(9000)) == at(9000)


@given(
    st.lists(st.lists(st.sampled_from((FREE, OTHER, THIRD)), max_size=4), max_size=8),
    st.integers(0, 40),
    st.sampled_from(((FREE,), ("id.go.uji.*",), (OTHER, THIRD))),
)
def test_no_entry_is_passed_over(
    batches: list[list[str]], cursor: int, types: tuple[str, ...]
) -> None:
    recent, subscription, journal = RecentTypes(), a_subscription_to(*types), list[str]()
    recent.extend({}, {0: at(0)}, None)
    for batch in batches:
        before = len(journal)
        journal += batch
        recent.extend({0: at(before)}, {0: at(len(journal))}, {0: set(batch)})
    after = recent.pass_over(subscription, 0, at(cursor))
    assert not any(map(subscription.wants, journal[cursor : after.sequence]))
