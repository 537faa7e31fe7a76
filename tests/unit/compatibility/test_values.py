import pytest

from gateway.base.errors import Invalid
from gateway.contracts.compatibility import (
    CompatibilityDirection,
    CompatibilityMode,
    CompatibilityPolicy,
    Rule,
)
from gateway.contracts.compatibility.values import Change, comparisons

B, F = CompatibilityDirection.BACKWARD, CompatibilityDirection.FORWARD


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        (CompatibilityMode.NONE, []),
        (CompatibilityMode.BACKWARD, [(3, B)]),
        (CompatibilityMode.FORWARD, [(3, F)]),
        (CompatibilityMode.FULL, [(3, B), (3, F)]),
        (CompatibilityMode.BACKWARD_TRANSITIVE, [(3, B), (2, B), (1, B)]),
        (CompatibilityMode.FORWARD_TRANSITIVE, [(3, F), (2, F), (1, F)]),
        (CompatibilityMode.FULL_TRANSITIVE, [(3, B), (3, F), (2, B), (2, F), (1, B), (1, F)]),
    ],
)
def test_a_mode_compares_with_the_newest_version_first(
    mode: CompatibilityMode, expected: list[tuple[int, CompatibilityDirection]]
) -> None:
    assert list(comparisons(Rule(mode), (1, 2, 3))) == expected


def test_the_first_version_is_compared_with_nothing() -> None:
    assert list(comparisons(Rule(CompatibilityMode.FULL), ())) == []


@pytest.mark.parametrize(
    "mode", [CompatibilityMode.BACKWARD, CompatibilityMode.FORWARD, CompatibilityMode.FULL]
)
def test_the_friendly_policy_needs_a_transitive_mode(mode: CompatibilityMode) -> None:
    with pytest.raises(Invalid, match=f"{mode}-transitive"):
        Rule(mode, CompatibilityPolicy.OPTIONAL_FRIENDLY)


@pytest.mark.parametrize("mode", [CompatibilityMode.NONE, CompatibilityMode.FULL_TRANSITIVE])
def test_the_friendly_policy_goes_with_others(mode: CompatibilityMode) -> None:
    assert Rule(mode, CompatibilityPolicy.OPTIONAL_FRIENDLY).mode is mode


def test_a_change_reads_as_a_sentence() -> None:
    assert str(Change("/nik", "became required")) == "`/nik`: became required"
    assert str(Change("", "changed")) == "`(root)`: changed"
