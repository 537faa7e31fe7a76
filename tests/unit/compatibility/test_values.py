import pytest

from gateway.base.errors import Invalid
from gateway.contracts.compatibility import Direction, Mode, Policy, Rule
from gateway.contracts.compatibility.values import Change, comparisons

B, F = Direction.BACKWARD, Direction.FORWARD


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        (Mode.NONE, []),
        (Mode.BACKWARD, [(3, B)]),
        (Mode.FORWARD, [(3, F)]),
        (Mode.FULL, [(3, B), (3, F)]),
        (Mode.BACKWARD_TRANSITIVE, [(3, B), (2, B), (1, B)]),
        (Mode.FORWARD_TRANSITIVE, [(3, F), (2, F), (1, F)]),
        (Mode.FULL_TRANSITIVE, [(3, B), (3, F), (2, B), (2, F), (1, B), (1, F)]),
    ],
)
def test_a_mode_compares_with_the_newest_version_first(
    mode: Mode, expected: list[tuple[int, Direction]]
) -> None:
    assert list(comparisons(Rule(mode), (1, 2, 3))) == expected


def test_the_first_version_is_compared_with_nothing() -> None:
    assert list(comparisons(Rule(Mode.FULL), ())) == []


@pytest.mark.parametrize("mode", [Mode.BACKWARD, Mode.FORWARD, Mode.FULL])
def test_the_friendly_policy_needs_a_transitive_mode(mode: Mode) -> None:
    with pytest.raises(Invalid, match=f"{mode}-transitive"):
        Rule(mode, Policy.OPTIONAL_FRIENDLY)


@pytest.mark.parametrize("mode", [Mode.NONE, Mode.FULL_TRANSITIVE])
def test_the_friendly_policy_goes_with_others(mode: Mode) -> None:
    assert Rule(mode, Policy.OPTIONAL_FRIENDLY).mode is mode


def test_a_change_reads_as_a_sentence() -> None:
    assert str(Change("/nik", "became required")) == "`/nik`: became required"
    assert str(Change("", "changed")) == "`(root)`: changed"
