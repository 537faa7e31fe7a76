"""What both answers and errors report: comparisons, impacts and refused replies."""

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from pydantic import BaseModel, Field

from gateway.contracts import governance
from gateway.contracts.compatibility import (
    CompatibilityDirection,
    CompatibilityMode,
    CompatibilityPolicy,
)
from gateway.http.models import Absent, JsonOf


class SchemaChange(BaseModel):
    """One change between two schemas."""

    pointer: str = Field(description="An RFC 6901 pointer into the data.")
    text: str


class Counterexample(BaseModel):
    """A document that one version accepts and the other refuses."""

    document: Any = Field(description="Personal data in it are masked.")
    reason: str


class CompatibilityReport(BaseModel):
    """The comparison of a version with earlier versions."""

    outcome: Literal["compatible", "incompatible", "undecided"]
    mode: CompatibilityMode
    policy: CompatibilityPolicy
    against: int | None = Field(description="The earlier version that decided, if one did.")
    part: Literal["schema", "reply"] | Absent = None
    direction: CompatibilityDirection | Absent = None
    changes: list[SchemaChange] | Absent = None
    reason: str | Absent = Field(default=None, description="Why it is undecided.")
    counterexample: Counterexample | Absent = None


RawReport = Annotated[msgspec.Raw, JsonOf(CompatibilityReport)]


class AffectedSubscription(BaseModel):
    """A subscription that receives a type."""

    organisation: str
    name: str


class AffectedPublisher(BaseModel):
    """An organisation that may publish a type."""

    organisation: str
    last_published: datetime | None = Field(description="In recent time; null if not.")


class Impact(BaseModel):
    """The subscriptions and publishers that a change concerns."""

    subscriptions: list[AffectedSubscription]
    publishers: list[AffectedPublisher]

    @classmethod
    def of(cls, impact: governance.Impact) -> "Impact":
        """The model of a value."""
        return cls.model_validate(impact.as_json())

    @classmethod
    def of_optional(cls, impact: governance.Impact | None) -> "Impact | None":
        """The model of a value, if there is one."""
        return None if impact is None else cls.of(impact)


class RefusedReply(BaseModel):
    """A reply that was refused."""

    recordedtime: datetime
    organisation: str
    reason: str = Field(description="The last part of the `type` of the problem.")
