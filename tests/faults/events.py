"""The events that are published, made from the examples of `schemas/`, and their form on the wire.

The wire form is written here anew, so that what arrives can be held against what was meant.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from uuid import UUID

from msgspec.structs import replace

from gateway.base.event import Event
from tests.faults.run_log import Kind

SCHEMAS = Path(__file__).resolve().parents[2] / "schemas"
JSON = "application/json"
STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"


@dataclass(frozen=True, slots=True)
class Draft:
    """An event to be sent, and what is meant by it. `order` counts the new events of its key."""

    event: Event
    kind: Kind
    order: int


def new_event(type: str, source: str, subject: str, id: UUID, partitionkey: str | None) -> Event:
    """A valid event of a type."""
    attributes: dict[str, str | int | bool] = {"datacontenttype": JSON}
    if partitionkey is not None:
        attributes["partitionkey"] = partitionkey
    return Event(str(id), source, type, subject, attributes, _example(type, valid=True))


def another_content(event: Event) -> Event:
    """Another event under the same identity; its ordering key is another one as well."""
    attributes = {n: v for n, v in event.attributes.items() if n != "partitionkey"}
    return replace(event, subject=f"{event.subject}-lain", attributes=attributes)


def broken_content(event: Event) -> Event:
    """The same event with data that break its contract."""
    return replace(event, data=_example(event.type, valid=False))


def structured(event: Event) -> bytes:
    """The event as JSON, its data byte for byte (CloudEvents JSON format 1.0.2)."""
    head: dict[str, object] = {
        "specversion": "1.0",
        "id": event.id,
        "source": event.source,
        "type": event.type,
        "subject": event.subject,
        **event.attributes,
    }
    return json.dumps(head).encode()[:-1] + b',"data":' + (event.data or b"null") + b"}"


def binary(event: Event) -> tuple[Mapping[str, str], bytes]:
    """The event as headers and a body (CloudEvents HTTP binding 1.0.2). Names are ASCII here."""
    headers = {
        "ce-specversion": "1.0",
        "ce-id": event.id,
        "ce-source": event.source,
        "ce-type": event.type,
        "ce-subject": event.subject or "",
        "content-type": str(event.attributes["datacontenttype"]),
    }
    if "partitionkey" in event.attributes:
        headers["ce-partitionkey"] = str(event.attributes["partitionkey"])
    return headers, event.data or b""


@cache
def _example(type: str, *, valid: bool) -> bytes:
    found = sorted((SCHEMAS / type.split(".")[2] / type / "examples").glob("*/*.json"))
    folder = "valid" if valid else "invalid"
    document = json.loads(next(f for f in found if f.parent.name == folder).read_text())
    # Spaces and order are the publisher's: they arrive as they were sent.
    return json.dumps(document if valid else document["data"], indent=1).encode()
