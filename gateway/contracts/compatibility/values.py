"""The comparison of two schemas: what is compared, by which rule, and the possible results."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from gateway.base.errors import Invalid


class CompatibilityDirection(StrEnum):
    """Which documents the other side must still accept."""

    BACKWARD = "backward"  # the new schema accepts every document that the old one accepts
    FORWARD = "forward"  # the old schema accepts every document that the new one accepts


class CompatibilityPolicy(StrEnum):
    """How schemas are read for a comparison."""

    STRICT = "strict"  # as the JSON Schema specification defines
    OPTIONAL_FRIENDLY = "optional-friendly"  # the writer's schema closed, the reader's as it is


class CompatibilityMode(StrEnum):
    """Which compatibility a new version must keep with earlier versions."""

    NONE = "none"
    BACKWARD = "backward"
    FORWARD = "forward"
    FULL = "full"
    BACKWARD_TRANSITIVE = "backward-transitive"
    FORWARD_TRANSITIVE = "forward-transitive"
    FULL_TRANSITIVE = "full-transitive"

    @property
    def directions(self) -> tuple[CompatibilityDirection, ...]:
        """The directions in which each pair of versions is compared."""
        if self is CompatibilityMode.NONE:
            return ()
        name = self.value.removesuffix("-transitive")
        return tuple(CompatibilityDirection) if name == "full" else (CompatibilityDirection(name),)

    @property
    def transitive(self) -> bool:
        """Whether every earlier version counts, not only the last one."""
        return self.value.endswith("-transitive")


@dataclass(frozen=True, slots=True)
class Rule:
    """Mode and policy of a contract. Raises Invalid for a pair that guarantees nothing.

    Under the optional-friendly policy, a schema that is compatible with the last version may break
    an older one (drop an optional member, then bring it back with another type). That policy
    therefore needs a transitive mode, or none.
    """

    mode: CompatibilityMode
    policy: CompatibilityPolicy = CompatibilityPolicy.STRICT

    def __post_init__(self) -> None:
        friendly = self.policy is CompatibilityPolicy.OPTIONAL_FRIENDLY
        if friendly and not self.mode.transitive and self.mode is not CompatibilityMode.NONE:
            raise Invalid(
                f"The policy {self.policy} needs a comparison with every earlier version. "
                f"Use the mode {self.mode}-transitive or the policy {CompatibilityPolicy.STRICT}."
            )


@dataclass(frozen=True, slots=True)
class ComparisonTask:
    """Two schemas as JSON text, and how to compare them."""

    old: bytes
    new: bytes
    direction: CompatibilityDirection
    policy: CompatibilityPolicy
    examples: tuple[bytes, ...] = ()  # JSON texts of documents that help to find proof
    by_algebra: bool = True  # False: only try documents, because the algebra took too long
    seconds: float = 5.0  # of CPU that it may take


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between two schemas. `pointer` leads into the data."""

    pointer: str
    text: str

    def __str__(self) -> str:
        return f"`{self.pointer or '(root)'}`: {self.text}"


@dataclass(frozen=True, slots=True)
class Counterexample:
    """A document that the writer's schema accepts and the reader's schema refuses.

    `jsonschema` and `jsonschema-rs` agree on both. `reason` is the error of the reader's schema.
    Personal data are masked in what a checker returns.
    """

    document: Any
    reason: str


@dataclass(frozen=True, slots=True)
class Compatible:
    """Proven: the reader's schema accepts every document of the writer's."""


@dataclass(frozen=True, slots=True)
class Incompatible:
    """Proven: the reader's schema refuses some documents of the writer's.

    `counterexample` is one of them, or None if the algebra proved it and no document was found
    that both validators confirm. `changes` explain and prove nothing.
    """

    direction: CompatibilityDirection
    counterexample: Counterexample | None
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Undecided:
    """Not proven either way: treat it as incompatible. `reason` says why."""

    direction: CompatibilityDirection
    reason: str
    changes: tuple[Change, ...] = ()


Comparison = Compatible | Incompatible | Undecided


@dataclass(frozen=True, slots=True)
class HistoryComparison:
    """The worst comparison with earlier versions. `against` is the version that it is about."""

    result: Comparison
    against: int | None = None


def comparisons(
    rule: Rule, versions: tuple[int, ...]
) -> Iterator[tuple[int, CompatibilityDirection]]:
    """The comparisons that a rule needs with earlier versions (ascending), newest version first."""
    required = versions if rule.mode.transitive else versions[-1:]
    for version in reversed(required):
        for direction in rule.mode.directions:
            yield version, direction
