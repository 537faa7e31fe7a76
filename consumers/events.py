"""The CloudEvent in an AMQP message: structured or binary mode, with any prefix in use.

The gateway reads messages by the same rules (`gateway/broker/message.py`); one test compares both.
"""

from base64 import b64decode
from collections.abc import Mapping
from typing import Any

import msgspec

_PREFIXES = ("ce-", "cloudEvents_", "cloudEvents:", "")
TEST_EVENT = "id.go.nusabus.langganan.diuji.v1"
"""The type of test events (`POST .../test`). They are not in the journal."""

_CORE = ("specversion", "id", "source", "type", "subject", "data", "data_base64")


class NotAnEvent(ValueError):
    """The message is not a CloudEvent. It can never be handled."""


class Event(msgspec.Struct, frozen=True):
    """A CloudEvents 1.0 event.

    `data` is parsed if `datacontenttype` is JSON, else bytes. `attributes` holds all other context
    attributes. `(source, id)` is the same whenever the event is delivered again.
    """

    id: str
    source: str
    type: str
    subject: str | None = None
    data: Any = None
    attributes: Mapping[str, Any] = {}

    @property
    def identity(self) -> tuple[str, str]:
        """Source and id, which identify the event."""
        return self.source, self.id

    @property
    def ordering_key(self) -> str:
        """The key whose order is kept: `partitionkey`, else source and subject, else the id."""
        key = self.attributes.get("partitionkey")
        if key is not None:
            return str(key)
        return self.id if self.subject is None else f"{self.source}\n{self.subject}"


def event_from_message(body: bytes, headers: Mapping[str, Any], content_type: str | None) -> Event:
    """The event in a message. Raises NotAnEvent with the reason."""
    try:
        if (content_type or "").strip().lower().startswith("application/cloudevents"):
            return _structured(body)
        return _binary(body, headers, content_type)
    except (ValueError, UnicodeError, msgspec.DecodeError) as error:
        raise NotAnEvent(f"The message is not a CloudEvent: {error}") from None


def event_of(document: str) -> Event:
    """The event in a JSON document of the CloudEvents format. Raises NotAnEvent."""
    return event_from_message(document.encode(), {}, "application/cloudevents+json")


def _structured(body: bytes) -> Event:
    members = msgspec.json.decode(body, type=dict[str, Any])
    data = members.get("data")
    if "data_base64" in members:
        if not isinstance(members["data_base64"], str):
            raise NotAnEvent("data_base64 is not text")
        data = b64decode(members["data_base64"], validate=True)
    return _event(members, data)


def _binary(body: bytes, headers: Mapping[str, Any], content_type: str | None) -> Event:
    prefix = next((each for each in _PREFIXES if f"{each}specversion" in headers), None)
    if prefix is None:
        raise NotAnEvent("it has neither a CloudEvents body nor CloudEvents headers")
    members = {
        name.removeprefix(prefix): value
        for name, value in headers.items()
        if name.startswith(prefix) and name.removeprefix(prefix).isalnum()
    }
    if content_type:
        members["datacontenttype"] = content_type
    media_type = str(members.get("datacontenttype", "")).partition(";")[0].strip().lower()
    json = media_type.endswith(("/json", "+json"))
    return _event(members, msgspec.json.decode(body) if json and body else body or None)


def _event(members: Mapping[str, Any], data: Any) -> Event:
    for name in ("id", "source", "type"):
        if not isinstance(members.get(name), str) or not members[name]:
            raise NotAnEvent(f"the attribute {name} is missing")
    subject = members.get("subject")
    return Event(
        members["id"],
        members["source"],
        members["type"],
        None if subject is None else str(subject),
        data,
        {name: value for name, value in members.items() if name not in _CORE and value is not None},
    )
