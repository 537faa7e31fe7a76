"""What can be asked about two schemas, and what can be answered."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from gateway.base.errors import Invalid


class Direction(StrEnum):
    """Whose documents must be understood by whom."""

    BACKWARD = "backward"  # the new schema accepts every document that the old one accepts
    FORWARD = "forward"  # the old schema accepts every document that the new one accepts


class Policy(StrEnum):
    """How the words of a schema are read."""

    STRICT = "strict"  # as the JSON Schema specification says
    OPTIONAL_FRIENDLY = "optional-friendly"  # the writer's schema closed, the reader's as it is


class Mode(StrEnum):
    """What a new version owes to the versions before it."""

    NONE = "none"
    BACKWARD = "backward"
    FORWARD = "forward"
    FULL = "full"
    BACKWARD_TRANSITIVE = "backward-transitive"
    FORWARD_TRANSITIVE = "forward-transitive"
    FULL_TRANSITIVE = "full-transitive"

    @property
    def directions(self) -> tuple[Direction, ...]:
        """The questions to ask about each pair of versions."""
        if self is Mode.NONE:
            return ()
        word = self.value.removesuffix("-transitive")
        return tuple(Direction) if word == "full" else (Direction(word),)

    @property
    def transitive(self) -> bool:
        """Whether every earlier version counts, not only the last one."""
        return self.value.endswith("-transitive")


@dataclass(frozen=True, slots=True)
class Rule:
    """Mode and policy of a contract. Raises Invalid for a pair that would promise nothing.

    With the optional-friendly policy, compatible with the last version says nothing about the
    versions before it (drop an optional member, then bring it back with another type), so that
    policy needs a transitive mode or none.
    """

    mode: Mode
    policy: Policy = Policy.STRICT

    def __post_init__(self) -> None:
        friendly = self.policy is Policy.OPTIONAL_FRIENDLY
        if friendly and not self.mode.transitive and self.mode is not Mode.NONE:
            raise Invalid(
                f"the policy {self.policy} holds only against every earlier version: "
                f"choose {self.mode}-transitive or the policy {Policy.STRICT}"
            )


@dataclass(frozen=True, slots=True)
class Question:
    """Two schemas as JSON text, and what is asked about them."""

    old: bytes
    new: bytes
    direction: Direction
    policy: Policy
    examples: tuple[bytes, ...] = ()  # JSON texts of documents that help to find proof
    by_algebra: bool = True  # else only documents are tried: the algebra took too long before


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between two schemas. `pointer` names a place in the data."""

    pointer: str
    text: str

    def __str__(self) -> str:
        return f"`{self.pointer or '(root)'}`: {self.text}"


@dataclass(frozen=True, slots=True)
class Counterexample:
    """A document that the writer's schema accepts and the reader's refuses, proven by running it.

    `jsonschema` and `jsonschema-rs` agree on both. `reason` is what the reader's schema says.
    """

    document: Any
    reason: str


@dataclass(frozen=True, slots=True)
class Compatible:
    """Proven: no document is lost."""


@dataclass(frozen=True, slots=True)
class Incompatible:
    """Proven: some documents are lost in this direction.

    `counterexample` is one of them; None if the proof by inclusion stands but no document was
    found that both validators confirm. `changes` explain and prove nothing.
    """

    direction: Direction
    counterexample: Counterexample | None
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Undecided:
    """Not proven either way, and so to be treated as not compatible. `reason` says why."""

    direction: Direction
    reason: str
    changes: tuple[Change, ...] = ()


Verdict = Compatible | Incompatible | Undecided


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict on a history. `version` is the earlier version that decided; None if none did."""

    verdict: Verdict
    version: int | None = None


def pairs(rule: Rule, versions: tuple[int, ...]) -> Iterator[tuple[int, Direction]]:
    """The questions that a rule asks of a history (ascending numbers), newest version first."""
    asked = versions if rule.mode.transitive else versions[-1:]
    for version in reversed(asked):
        for direction in rule.mode.directions:
            yield version, direction
