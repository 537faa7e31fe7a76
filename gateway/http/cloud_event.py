"""An event on the wire: the models that describe it, and how every receiver gets it."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from gateway.base import errors
from gateway.broker import message
from gateway.delivery import outgoing_event
from gateway.http.context import ApiContext
from gateway.http.models import Absent, Sequence
from gateway.journal import Entry

STRUCTURED = "application/cloudevents+json"
BATCHED = "application/cloudevents-batch+json"
EXAMPLE: dict[str, Any] = {
    "specversion": "1.0",
    "id": "9f8e2c1a-7b60-4f6e-9d44-0f6f3a1f2b10",
    "source": "/kemendikbud/verval",
    "type": "id.go.kemendikbud.nisn.diverifikasi.v1",
    "subject": "0051234567",
    "time": "2026-05-04T10:02:01+07:00",
    "datacontenttype": "application/json",
    "data": {"nisn": "0051234567", "status": "terverifikasi"},
}


class CloudEvent(BaseModel):
    """An event in the JSON format of CloudEvents 1.0. Extension attributes are further members."""

    model_config = ConfigDict(extra="allow", json_schema_extra={"examples": [EXAMPLE]})

    specversion: Literal["1.0"]
    id: str = Field(
        min_length=1,
        max_length=255,
        description="Identifies this event permanently. Repeat a request with the same id.",
    )
    source: str = Field(min_length=1, max_length=512, json_schema_extra={"format": "uri-reference"})
    type: str = Field(min_length=1, max_length=255, description="The event type, with a contract.")
    subject: str | Absent = Field(default=None, min_length=1, max_length=512)
    time: AwareDatetime | Absent = None
    datacontenttype: str | Absent = Field(default=None, max_length=255)
    dataschema: str | Absent = Field(
        default=None, max_length=2048, json_schema_extra={"format": "uri"}
    )
    partitionkey: str | Absent = Field(
        default=None,
        min_length=1,
        max_length=255,
        description="Events with the same key keep their order.",
    )
    data: Any = Field(default=None, description="The contract of the type validates it.")
    data_base64: str | Absent = Field(
        default=None, description="Data that are not JSON (RFC 4648, section 4)."
    )


class DeliveredEvent(CloudEvent):
    """An event as subscribers receive it, with the attributes that the gateway sets."""

    sequence: Sequence = Field(description="Shard and sequence in the journal.")
    recordedtime: datetime = Field(description="When the journal stored the event.")
    publisher: str = Field(description="The organisation that published it.")
    dataclassification: str | Absent = Field(
        default=None, description="The classification of the contract."
    )


def locate(error: errors.NusabusError, headers: Iterable[tuple[bytes, bytes]]) -> None:
    """Point into the request, not the event: in binary mode attributes are headers, data the body.

    Changes a pointer of `error` into the event in JSON format accordingly.
    """
    if not isinstance(error, errors.Malformed | errors.Invalid) or error.pointer is None:
        return
    content_type = next((value for name, value in headers if name == b"content-type"), b"")
    if content_type.lower().startswith(b"application/cloudevents"):
        return
    name, slash, rest = error.pointer.removeprefix("/").partition("/")
    if name == "data":
        error.pointer = slash + rest
    else:
        error.pointer = None
        error.parameter = "content-type" if name == "datacontenttype" else f"ce-{name}"


def delivered(entry: Entry, context: ApiContext) -> bytes:
    """The event as structured CloudEvents JSON, with what the journal and the contract add."""
    event, attributes = outgoing_event(entry, context.catalogue)
    return message.body(event, *attributes)
