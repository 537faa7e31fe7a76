"""An event: a CloudEvents 1.0 event as a value, and what makes two of them the same.

Source of the rules: CloudEvents specification 1.0.2, context attributes.
"""

import hashlib
from collections.abc import Mapping
from typing import cast

import msgspec

AttributeValue = str | int | bool

REQUESTED_BY = "requestedby"
"""The attribute of a reply that names the organisation which asked; set by the gateway alone."""

# A retry of the same event is a new trace, and the gateway sets the others itself.
_NOT_IDENTITY = frozenset(
    {"traceparent", "tracestate", "sequence", "recordedtime", "dataclassification"}
)


class Event(msgspec.Struct, frozen=True, dict=True):
    """What a ministry says happened. A Struct, as one is made for every event at every stage.

    `attributes` holds every context attribute except specversion, id, source, type and subject,
    by its JSON type. `data` is the payload as received: JSON text, or arbitrary bytes when
    `binary` is set (it then travels as `data_base64`), or None when the event has none.
    """

    id: str
    source: str
    type: str
    subject: str | None = None
    attributes: Mapping[str, AttributeValue] = {}
    data: bytes | None = None
    binary: bool = False

    @property
    def ordering_key(self) -> str:
        """What order is kept by: `partitionkey`, else source and subject, else the id."""
        key = self.attributes.get("partitionkey")
        if key is not None:
            return str(key)
        return self.id if self.subject is None else f"{self.source}\n{self.subject}"

    @property
    def identity(self) -> bytes:
        """16 bytes that stand for (source, id), of the same size however long those are."""
        kept = self.__dict__
        if "identity" not in kept:
            kept["identity"] = identity_of(self.source, self.id)
        return cast(bytes, kept["identity"])

    @property
    def digest(self) -> bytes:
        """SHA-256 over all that the publisher said, alike for every CloudEvents mode it used."""
        kept = self.__dict__
        if "digest" not in kept:
            kept["digest"] = _digest(self)
        return cast(bytes, kept["digest"])


def with_identity(event: Event, identity: bytes) -> Event:
    """The event, held unique in the journal by another identity than its source and id."""
    kept = msgspec.structs.replace(event)
    kept.__dict__["identity"] = identity
    return kept


def _digest(event: Event) -> bytes:
    parts = [event.id, event.source, event.type, event.subject or ""]
    for name in sorted(event.attributes):
        if name not in _NOT_IDENTITY:
            value = event.attributes[name]
            parts += (name, value if type(value) is str else attribute_text(value))
    # No attribute holds a control character, so the line breaks and the kind keep them apart.
    parts.append("\0none" if event.data is None else "\0bytes" if event.binary else "\0json")
    return hashlib.sha256("\n".join(parts).encode() + (event.data or b"")).digest()


def attribute_text(value: AttributeValue) -> str:
    """An attribute in its canonical string form (CloudEvents 1.0.2, type system)."""
    if value is True:
        return "true"
    if value is False:
        return "false"
    return str(value)


def identity_of(source: str, id: str) -> bytes:
    """16 bytes that stand for (source, id); neither holds a control character."""
    return hashlib.blake2b(f"{source}\n{id}".encode(), digest_size=16).digest()
