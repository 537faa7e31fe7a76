"""What may be said on the bus: contracts and their schema versions."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Pattern(StrEnum):
    """How events of a type travel."""

    PUBLISH_SUBSCRIBE = "publish-subscribe"
    POINT_TO_POINT = "point-to-point"
    REQUEST_REPLY = "request-reply"


class Classification(StrEnum):
    """Who may know. Only what is public may be received without a grant."""

    PUBLIC = "public"
    INTERNAL = "internal"
    CONFIDENTIAL = "confidential"
    SECRET = "secret"  # noqa: S105 - the name of a classification


@dataclass(frozen=True, slots=True)
class Ordering:
    """Which attribute events of a type are kept in order by, and what it stands for."""

    key: str
    description: str


@dataclass(frozen=True, slots=True)
class Contract:
    """An event type with its owner and the rules that never change during its life."""

    type: str
    owner: str
    title: str
    description: str
    pattern: Pattern
    classification: Classification
    ordering: Ordering


@dataclass(frozen=True, slots=True)
class InvalidExample:
    """Data that must be refused, and the keyword at the pointer that must refuse them."""

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
    """A contract with all its versions and the examples that the newest one is held to."""

    contract: Contract
    versions: tuple[Version, ...]
    valid: Mapping[str, Any]
    invalid: tuple[InvalidExample, ...]
    valid_replies: Mapping[str, Any]
    invalid_replies: tuple[InvalidExample, ...]
