"""Places for work in progress, shared between keys."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.base.fair_limit import OVERDRAFT, FairLimit

STEPS = st.lists(st.tuples(st.sampled_from("abcd"), st.integers(1, 30), st.booleans()), max_size=80)


def taken(limit: FairLimit, key: str, times: int, places: int = 1) -> int:
    """How many of so many attempts succeed."""
    return sum(limit.take(key, places) for _ in range(times))


def test_one_key_may_have_everything() -> None:
    assert taken(FairLimit(10), "noisy", 20) == 10


def test_a_newcomer_gets_its_share_of_what_others_hold() -> None:
    limit = FairLimit(10)
    taken(limit, "noisy", 20)
    assert taken(limit, "quiet", 20) == 5
    assert not limit.take("noisy", 1)


def test_the_share_is_what_a_key_keeps() -> None:
    limit = FairLimit(10)
    taken(limit, "noisy", 10)
    taken(limit, "quiet", 5)
    limit.give_back("noisy", 6)
    assert taken(limit, "noisy", 10) == 1


def test_a_key_with_nothing_in_progress_enters_whatever_it_needs() -> None:
    limit = FairLimit(10)
    taken(limit, "noisy", 10)
    assert limit.take("large", 50)
    assert not limit.take("large", 1)


def test_what_one_key_took_while_there_was_room_keeps_no_other_out() -> None:
    limit = FairLimit(1000)
    assert limit.take("noisy", 1000)
    limit.limit = 100
    assert taken(limit, "quiet", 100) == 50
    assert limit.take("another", 40)


def test_all_keys_together_have_a_limit_too() -> None:
    limit = FairLimit(10)
    assert sum(limit.take(number, 1) for number in range(100)) == OVERDRAFT * 10
    assert not limit.exceeds_share(101, 1)


def test_whose_fault_a_refusal_is() -> None:
    limit = FairLimit(10)
    taken(limit, "noisy", 10)
    assert limit.exceeds_share("noisy", 1)
    assert not limit.exceeds_share("quiet", 1)


@given(STEPS, st.integers(1, 100))
def test_nobody_below_its_share_is_refused_within_the_overdraft(
    steps: list[tuple[str, int, bool]], most: int
) -> None:
    limit, held = FairLimit(most), dict.fromkeys("abcd", 0)
    for key, places, enters in steps:
        if not enters and held[key]:
            limit.give_back(key, held[key])
            held[key] = 0
        elif limit.take(key, places):
            held[key] += places
        else:
            keys = {each for each in held if held[each]} | {key}
            share = most / len(keys)
            assert held[key] + places > share
            assert held[key] or len(keys) > OVERDRAFT * most
    assert limit.taken == sum(held.values())
    assert all(limit.held(key) == held[key] for key in held)
