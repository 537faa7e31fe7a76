"""What may be said on the bus: contracts and their schema versions."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from gateway.contracts.compatibility import Rule

LONGEST_LIFETIME = timedelta(hours=24)
"""How far in the future the deadline of a request may be."""


class Pattern(StrEnum):
    """How events of a type travel."""

    PUBLISH_SUBSCRIBE = "publish-subscribe"
    POINT_TO_POINT = "point-to-point"
    REQUEST_REPLY = "request-reply"

    @classmethod
    def of(cls, *, point_to_point: bool, is_responder: bool) -> "Pattern":
        """What a subscription is to receive, by what it is."""
        if is_responder:
            return cls.REQUEST_REPLY
        return cls.POINT_TO_POINT if point_to_point else cls.PUBLISH_SUBSCRIBE


class Classification(StrEnum):
    """Who may know. Only what is public may be received without a grant."""

    PUBLIC = "public"
    INTERNAL = "internal"
    CONFIDENTIAL = "confidential"
    SECRET = "secret"  # noqa: S105 - the name of a classification


class State(StrEnum):
    """Where a version stands. A contract stands where its best version does, in this order."""

    ACTIVE = "active"
    DEPRECATED = "deprecated"  # still judges, and publishers are told
    DRAFT = "draft"  # judges nothing: it waits for another administrator
    RETIRED = "retired"  # judges nothing any more


@dataclass(frozen=True, slots=True)
class Ordering:
    """Which attribute events of a type are kept in order by, and what it stands for."""

    key: str
    description: str


@dataclass(frozen=True, slots=True)
class Contract:
    """An event type with its owner and what holds for all of its versions."""

    type: str
    owner: str
    title: str
    description: str
    pattern: Pattern
    classification: Classification
    ordering: Ordering
    non_delivery_report: str | None = None
    """The type, of the same owner, by which it is told of each delivery that died; if it wishes."""


@dataclass(frozen=True, slots=True)
class InvalidExample:
    """Data that must be refused, and the keyword at the pointer that must refuse them.

    With an empty keyword, any reason will do.
    """

    name: str
    reason: str
    keyword: str
    pointer: str
    data: Any


@dataclass(frozen=True, slots=True)
class Version:
    """One schema of a contract. `text` is the schema as it was written, `number` counts from 1."""

    number: int
    text: bytes
    reply: bytes | None = None


@dataclass(frozen=True, slots=True)
class Submission:
    """A contract with all its versions and the examples that the newest one is held to.

    `rule` is the compatibility that it names, or None where a default holds.
    """

    contract: Contract
    versions: tuple[Version, ...]
    valid: Mapping[str, Any]
    invalid: tuple[InvalidExample, ...]
    valid_replies: Mapping[str, Any]
    invalid_replies: tuple[InvalidExample, ...]
    rule: Rule | None = None


@dataclass(frozen=True, slots=True)
class Author:
    """Who changes a contract."""

    client: str
    organisation: str


@dataclass(frozen=True, slots=True)
class Registered:
    """A contract as it stands. `rule` is its own, or None where a default holds.

    `revision` grows with every change of the contract or of one of its versions. `versions` are
    the states by number.
    """

    contract: Contract
    revision: int
    rule: Rule | None
    created: datetime
    versions: Mapping[int, State]

    @property
    def state(self) -> State:
        """The best state of its versions."""
        present = set(self.versions.values())
        return next((state for state in State if state in present), State.DRAFT)

    @property
    def newest(self) -> int | None:
        """The newest active version: the one that judges where a publisher names none."""
        return max((n for n, state in self.versions.items() if state is State.ACTIVE), default=None)


@dataclass(frozen=True, slots=True)
class Deprecation:
    """Since when a version should no longer be used, until when it works, and what to use."""

    since: datetime
    sunset: datetime | None
    successor: str | None


@dataclass(frozen=True, slots=True)
class StoredVersion:
    """A version as it stands in the registry.

    `bundle` is the schema with all that it refers to; `closed` says that publishers are held to
    its closed form. `examples` and `verdict` are JSON, as they
    were when it was registered; None where it came from files.
    """

    type: str
    version: Version
    digest: bytes
    state: State
    created: datetime
    bundle: bytes
    reply_bundle: bytes | None
    closed: bool
    examples: bytes | None
    verdict: bytes | None
    registered_by: str | None
    approved_by: str | None
    deprecation: Deprecation | None


@dataclass(frozen=True, slots=True)
class Recorded:
    """Something that was done to a contract; `detail` is JSON."""

    number: int
    recorded: datetime
    author: Author
    action: str
    version: int | None
    detail: bytes
