"""The models of `/v1/dead-letters` and `/v1/redrives`, and an event as an inspection shows it."""

from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Annotated, Any, Literal, Self

import msgspec
from fastapi import Query
from pydantic import BaseModel, Field, StrictBool, StrictInt, StrictStr
from typing_extensions import TypeAliasType

from gateway import journal
from gateway.base.event import attribute_text
from gateway.base.masking import MASK, mask
from gateway.base.type_pattern import is_reply, request_type
from gateway.contracts import Failure
from gateway.contracts.version_schema import VersionSchema
from gateway.delivery import store
from gateway.delivery.store import RedriveState
from gateway.http.context import ApiContext
from gateway.http.models import (
    EventAttributes,
    JsonOf,
    Moment,
    Reason,
    RequestBody,
    Resource,
    Text,
    example,
)
from gateway.http.withheld import WITHHELD, withheld_detail
from gateway.identity import Client, policy
from gateway.request_reply import REQUEST_ID

Trace = Annotated[str, Field(pattern="^[0-9a-f]{32}$", description="A trace id (W3C).")]
DeadLetterState = TypeAliasType(
    "DeadLetterState", Literal["dead", "redriven", "resent", "discarded"]
)
_FOR_READERS = (
    "For the subscriber's subscribers and auditors, and the publisher's publishers and auditors. "
    "Others see `…`: it may be personal data."
)
MASKED_LIMIT = 64 << 10  # bytes of data that an inspection shows
_UNMASKED = {"traceparent", "time"}  # publishing has checked that they hold nothing else
NO_DATA = msgspec.Raw(b"null")
WITHHELD_DATA = msgspec.Raw(msgspec.json.encode(WITHHELD))
MASKED_DATA = msgspec.Raw(msgspec.json.encode(MASK))


class Position(Resource):
    """A position in the journal."""

    shard: int
    sequence: int


class DeadLetter(BaseModel):
    """A delivery that failed for good."""

    number: int
    organisation: str
    subscription: str
    shard: int
    sequence: int
    recordedtime: datetime
    type: str
    died: datetime
    failure: Failure
    detail: str = Field(description="What a subscriber wrote is `…` for others than readers.")
    attempts: int = Field(description="Over AMQP, how many there were at least.")
    state: DeadLetterState
    changed: datetime = Field(description="When it entered this state.")
    changed_by: str | None
    note: str | None = Field(description="Why it was discarded. `…` for others than readers.")
    publisher: str | None = Field(description="The organisation that published the event.")
    source: str | None = Field(description=_FOR_READERS)
    event_id: str | None = Field(description=_FOR_READERS)
    trace: str | None = Field(description="The trace id in the event's traceparent.")
    resent_position: Position | None = Field(description="Where the corrected event is.")
    report_position: Position | None = Field(description="Where the non-delivery report is.")
    seen: datetime | None = Field(description="When somebody first inspected it.")
    seen_by: str | None

    @classmethod
    def of(cls, dead_letter: store.DeadLetter, by: Client, **more: Any) -> Self:
        """A dead letter as a client may see it; `more` are the members of a subclass."""
        if not readable(dead_letter, by):
            dead_letter = _without_words(dead_letter)
        shared = cls.model_fields.keys() & {field.name for field in fields(dead_letter)}
        return cls(
            **{name: getattr(dead_letter, name) for name in shared - more.keys()},
            shard=dead_letter.position.shard,
            sequence=dead_letter.position.sequence,
            recordedtime=dead_letter.recorded,
            event_id=dead_letter.event,
            resent_position=_position(dead_letter.resent),
            report_position=_position(dead_letter.reported),
            **more,
        )


class FailedAttempt(Resource):
    """One attempt that failed."""

    number: int
    at: datetime
    failure: Failure
    detail: str


class InspectedDeadLetter(DeadLetter):
    """A dead letter with its attempts, and the event with personal data masked."""

    history: list[FailedAttempt]
    event: EventAttributes | None = Field(
        description="The attributes of the event. Null if the journal no longer holds it."
    )
    data: Annotated[msgspec.Raw, JsonOf(Any)] = Field(
        description="Masked where the contract has x-pii, and whole for others than readers. Null "
        "if the data are not JSON."
    )


class DeadLetterChange(BaseModel):
    """Whether the call has changed the dead letter."""

    changed: bool = Field(description="Whether it was still dead.")


class Discard(RequestBody):
    """Why a dead letter is discarded."""

    model_config = example(reason="duplicate of a corrected event")

    reason: Annotated[Reason, Field(min_length=1)]


class Correction(RequestBody):
    """What changes in the event. Data and attributes that are left out stay as they were."""

    model_config = example(data={"nisn": "0051234567", "status": "terverifikasi"})

    data: Any = Field(default=None, description="All of the corrected data.")
    attributes: dict[str, StrictStr | StrictBool | StrictInt | None] = Field(
        default_factory=dict,
        description="CloudEvents attributes. null removes one.",
        max_length=48,
    )


class CorrectionReceipt(BaseModel):
    """The receipt of the corrected event."""

    number: int = Field(description="The number of the dead letter.")
    id: str
    source: str
    type: str
    shard: int
    sequence: int
    recordedtime: datetime
    digest: str = Field(description="SHA-256 of the event, in hexadecimal.")
    duplicate: bool = Field(description="Whether an earlier call had stored it.")


class NewRedrive(RequestBody):
    """The dead letters to redrive. A member that is left out matches all."""

    model_config = example(subscription="nisn-dan-kk", failure="rejected", rate=50)

    organisation: Text | None = Field(
        default=None, description="Whose subscriptions. For the operator."
    )
    subscription: Text | None = None
    type: Text | None = None
    failure: Failure | None = None
    died_from: Moment | None = None
    died_before: Moment | None = None
    event: Text | None = Field(default=None, description="The id of an event.")
    source: Text | None = None
    trace: Trace | None = None
    rate: int = Field(default=50, ge=1, le=1000, description="Events a second.")


class Redrive(Resource):
    """The redrive of many dead letters. Those that cannot be sent stay dead."""

    id: str
    state: RedriveState
    rate: int
    total: int
    sent: int
    failed: int
    last_error: str | None
    created: datetime
    created_by: str


@dataclass(frozen=True, slots=True)
class DeadLetterFilter:
    """What a list of dead letters may be narrowed to."""

    organisation: Annotated[Text | None, Query(description="Whose subscription.")] = None
    subscription: Annotated[Text | None, Query()] = None
    type: Annotated[Text | None, Query()] = None
    failure: Failure | None = None
    state: DeadLetterState | None = None
    died_from: Moment | None = None
    died_before: Moment | None = None
    event: Annotated[Text | None, Query(description="The id of an event.")] = None
    source: Annotated[Text | None, Query()] = None
    trace: Annotated[Trace | None, Query()] = None
    unseen: Annotated[bool, Query(description="Dead, and nobody has inspected it.")] = False


def readable(dead_letter: store.DeadLetter, by: Client) -> bool:
    """Whether a client that may see a dead letter may read its event."""
    return policy.may_read_delivery(
        by, subscriber=dead_letter.organisation, publisher=dead_letter.publisher
    )


def _without_words(dead_letter: store.DeadLetter) -> store.DeadLetter:
    """A dead letter without what publisher and subscriber wrote."""
    return replace(
        dead_letter,
        source=dead_letter.source and WITHHELD,
        event=dead_letter.event and WITHHELD,
        note=dead_letter.note and WITHHELD,
        detail=withheld_detail(dead_letter.failure, dead_letter.detail),
    )


def masked_attributes(entry: journal.Entry) -> dict[str, Any]:
    """The attributes of an event, with personal data masked."""
    event = entry.event
    plain = _UNMASKED | ({REQUEST_ID} if is_reply(event.type) else set())  # there it is a hash
    texts = {name: attribute_text(value) for name, value in event.attributes.items()}
    found = {name: text if name in plain else mask(text) for name, text in texts.items()}
    found |= {"specversion": "1.0", "id": event.id, "source": event.source, "type": event.type}
    found["publisher"] = entry.publisher
    return found | ({"subject": mask(event.subject)} if event.subject is not None else {})


async def masked_data(entry: journal.Entry, context: ApiContext, by: Client) -> msgspec.Raw:
    """The data of an event, with personal data masked, and every number as it was sent.

    A worker process masks them, because that may take a second. In doubt, all data are masked.
    """
    type_, data = entry.event.type, entry.event.data
    version = context.catalogue.version(request_type(type_), entry.contract_version)
    if version is None or data is None or entry.event.binary or len(data) > MASKED_LIMIT:
        return NO_DATA
    text = (version.reply or b"{}") if is_reply(type_) else version.text
    schema = VersionSchema(version.type, version.number, text)
    masked = await context.workers.mask(data, schema, by.organisation)
    return MASKED_DATA if masked is None else msgspec.Raw(masked)


def _position(position: journal.Position | None) -> Position | None:
    return None if position is None else Position.model_validate(position)
