"""Contracts and their schema versions."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property
from typing import Any

from gateway.base import strict_json
from gateway.contracts.compatibility import Rule
from gateway.contracts.schema_limits import SCHEMA_DEPTH

LONGEST_LIFETIME = timedelta(hours=24)
"""The maximum time from a request to its deadline."""
LONGEST_RETENTION = 36_500
"""Days, if events are not kept for ever."""


class Pattern(StrEnum):
    """The way in which events of a type travel."""

    PUBLISH_SUBSCRIBE = "publish-subscribe"
    POINT_TO_POINT = "point-to-point"
    REQUEST_REPLY = "request-reply"

    @classmethod
    def of(cls, *, point_to_point: bool, is_responder: bool) -> "Pattern":
        """The pattern that a subscription of this kind receives."""
        if is_responder:
            return cls.REQUEST_REPLY
        return cls.POINT_TO_POINT if point_to_point else cls.PUBLISH_SUBSCRIBE


class Classification(StrEnum):
    """The classification of a type. Only public types can be received without a grant."""

    PUBLIC = "public"
    INTERNAL = "internal"
    CONFIDENTIAL = "confidential"
    SECRET = "secret"  # noqa: S105 - the name of a classification


class VersionState(StrEnum):
    """The state of a version. A contract has the best state of its versions, in this order."""

    ACTIVE = "active"
    DEPRECATED = "deprecated"  # still usable; publishers get a deprecation notice
    DRAFT = "draft"  # not usable until another administrator approves it
    RETIRED = "retired"  # no longer usable


@dataclass(frozen=True, slots=True)
class Ordering:
    """The attribute by which events of a type are kept in order, and its meaning."""

    key: str
    description: str


@dataclass(frozen=True, slots=True)
class Contract:
    """An event type with its owner and the facts that all its versions share."""

    type: str
    owner: str
    title: str
    description: str
    pattern: Pattern
    classification: Classification
    ordering: Ordering
    non_delivery_report: str | None = None
    """The type, of the same owner, of the reports about dead letters; None for no reports."""
    retention_days: int | None = None
    """How long its events are kept after they were recorded; None for ever."""

    def keeps_shorter_than(self, other: "Contract") -> bool:
        """Whether events are kept for a shorter time than under `other`."""
        mine, theirs = self.retention_days, other.retention_days
        return mine is not None and (theirs is None or mine < theirs)


@dataclass(frozen=True, slots=True)
class InvalidExample:
    """Data that must be refused, by this keyword at this pointer; an empty keyword means any."""

    name: str
    reason: str
    keyword: str
    pointer: str
    data: Any


@dataclass(frozen=True)
class Version:
    """One schema of a contract. `text` is the schema as it was written, `number` counts from 1."""

    number: int
    text: bytes
    reply: bytes | None = None

    @cached_property
    def document(self) -> Any:
        """The schema, parsed once. Do not change it. Raises Malformed."""
        return strict_json.parse(self.text, depth=SCHEMA_DEPTH)

    @cached_property
    def reply_document(self) -> Any:
        """The reply schema, parsed once; None if there is none. Raises Malformed."""
        return None if self.reply is None else strict_json.parse(self.reply, depth=SCHEMA_DEPTH)

    def __getstate__(self) -> dict[str, Any]:
        """Only the fields: a child process parses the text itself."""
        return {"number": self.number, "text": self.text, "reply": self.reply}


@dataclass(frozen=True, slots=True)
class Submission:
    """A contract with all its versions and the examples for the newest one.

    `rule` is its own compatibility rule, or None for the default.
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
    """The client that changes a contract."""

    client: str
    organisation: str


@dataclass(frozen=True, slots=True)
class RegisteredContract:
    """A contract in the registry. `rule` is its own compatibility rule, or None for the default.

    `revision` grows with every change of the contract or of one of its versions. `versions` holds
    the states by number.
    """

    contract: Contract
    revision: int
    rule: Rule | None
    created: datetime
    versions: Mapping[int, VersionState]

    @property
    def state(self) -> VersionState:
        """The best state of its versions."""
        present = set(self.versions.values())
        return next((state for state in VersionState if state in present), VersionState.DRAFT)

    @property
    def active_version(self) -> int | None:
        """The newest active version: the default for events without a `dataschema`."""
        return max(
            (n for n, state in self.versions.items() if state is VersionState.ACTIVE), default=None
        )


@dataclass(frozen=True, slots=True)
class Deprecation:
    """Since when a version is deprecated, until when it works, and its successor."""

    since: datetime
    sunset: datetime | None
    successor: str | None


@dataclass(frozen=True, slots=True)
class StoredVersion:
    """A version in the registry.

    `bundle` is the schema with all references embedded. If `closed`, data are validated against
    its closed form. `examples` and `comparison` (the report) are JSON from its registration;
    None if it was loaded from files.
    """

    type: str
    version: Version
    digest: bytes
    state: VersionState
    created: datetime
    bundle: bytes
    reply_bundle: bytes | None
    closed: bool
    examples: bytes | None
    comparison: bytes | None
    registered_by: str | None
    approved_by: str | None
    deprecation: Deprecation | None


@dataclass(frozen=True, slots=True)
class HistoryRecord:
    """One change of a contract; `detail` is JSON."""

    number: int
    recorded: datetime
    author: Author
    action: str
    version: int | None
    detail: bytes
