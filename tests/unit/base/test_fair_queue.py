"""Deficit round robin with new flows first, and whether a key has neighbours."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.base.fair_queue import FairQueue
from gateway.base.neighbours import SECONDS, Neighbours

PUSHES = st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 40)), max_size=60)


def drained(queue: FairQueue[str]) -> str:
    return "".join(queue.pop() for _ in range(len(queue)))


def a_queue(items: str, *, quantum: int = 2, cost: int = 1) -> FairQueue[str]:
    """Each letter is an item of the flow of that name."""
    queue: FairQueue[str] = FairQueue(quantum)
    for each in items:
        queue.push(each, each, cost)
    return queue


def test_flows_take_turns() -> None:
    assert drained(a_queue("aaaaaabbbb")) == "aabbaabbaa"


def test_an_item_that_costs_more_than_a_turn_is_paid_for_in_later_turns() -> None:
    queue: FairQueue[str] = FairQueue(1)
    queue.push("a", "A", 3)
    queue.push("a", "a", 1)
    for _ in range(4):
        queue.push("b", "b", 1)
    assert drained(queue) == "Abbbab"


def test_a_new_flow_has_the_next_turn() -> None:
    queue = a_queue("aaaaabbbbb")
    assert [queue.pop() for _ in range(4)] == ["a", "a", "b", "b"]
    queue.push("quiet", "q", 1)
    assert queue.peek() == "q"
    assert drained(queue).startswith("q")


def test_one_that_always_has_a_single_item_starves_nobody() -> None:
    queue = a_queue("a" * 10)
    taken = ""
    for _ in range(10):
        queue.push("b", "b", 1)
        taken += queue.pop()
    assert taken.count("a") >= 4


@given(PUSHES, st.integers(1, 20))
def test_every_item_comes_out_once_in_the_order_of_its_flow(
    pushes: list[tuple[str, int]], quantum: int
) -> None:
    queue: FairQueue[tuple[str, int]] = FairQueue(quantum)
    for number, (flow, cost) in enumerate(pushes):
        queue.push(flow, (flow, number), cost)
    out = [queue.pop() for _ in range(len(queue))]
    for flow in "abc":
        expected = [(each, n) for n, (each, _) in enumerate(pushes) if each == flow]
        assert [each for each in out if each[0] == flow] == expected


@given(
    st.integers(1, 5), st.integers(1, 30), st.lists(st.integers(1, 30), min_size=80, max_size=80)
)
def test_no_flow_gets_more_than_another_beyond_a_turn_and_an_item(
    flows: int, quantum: int, costs: list[int]
) -> None:
    queue: FairQueue[tuple[int, int]] = FairQueue(quantum)
    for flow in range(flows):
        for cost in costs:
            queue.push(flow, (flow, cost), cost)
    spent = [0] * flows
    for _ in range(60):  # fewer than a flow has, so that every flow always has something waiting
        flow, cost = queue.pop()
        spent[flow] += cost
        assert max(spent) - min(spent) <= 2 * (quantum + max(costs))


def test_a_key_alone_has_no_neighbours() -> None:
    neighbours = Neighbours()
    for _ in range(3):
        neighbours.saw("a")
    assert not neighbours.several


def test_neighbours_are_forgotten_after_a_while() -> None:
    now = 0.0
    neighbours = Neighbours(lambda: now)
    neighbours.saw("a")
    neighbours.saw("b")
    assert neighbours.several
    now += SECONDS
    assert not neighbours.several
    neighbours.saw("b")
    assert not neighbours.several
    neighbours.share()
    assert neighbours.several
