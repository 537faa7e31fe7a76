"""A CloudEvents 1.0 event as a value, and what makes two events the same.

Source of the rules: CloudEvents specification 1.0.2, context attributes.
"""

import hashlib
from collections.abc import Mapping
from typing import cast

import msgspec

from gateway.base.canonical_json import same_json

AttributeValue = str | int | bool

REQUESTED_BY = "requestedby"
"""The attribute of a reply that names the requesting organisation; set by the gateway only."""

# A retry of the same event has a new trace; the gateway sets the other attributes itself.
_NOT_IDENTITY = frozenset(
    {"traceparent", "tracestate", "sequence", "recordedtime", "publisher", "dataclassification"}
)


class Event(msgspec.Struct, frozen=True, dict=True):
    """What a ministry says happened. A Struct, because every stage creates one for every event.

    `attributes` holds every context attribute except specversion, id, source, type and subject,
    by its JSON type. `data` is the payload as received: JSON text, or arbitrary bytes if `binary`
    is set (then transferred as `data_base64`), or None if the event has none.
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
        """Events of one key stay in order: `partitionkey`, else source and subject, else id."""
        key = self.attributes.get("partitionkey")
        if key is not None:
            return str(key)
        return self.id if self.subject is None else f"{self.source}\n{self.subject}"

    @property
    def identity(self) -> bytes:
        """The identity: source and id, hashed to 16 bytes."""
        kept = self.__dict__
        if "identity" not in kept:
            kept["identity"] = identity_of(self.source, self.id)
        return cast(bytes, kept["identity"])

    @property
    def digest(self) -> bytes:
        """SHA-256 of all that the publisher sent, the same for every CloudEvents mode."""
        kept = self.__dict__
        if "digest" not in kept:
            kept["digest"] = _digest(self)
        return cast(bytes, kept["digest"])


def with_identity(event: Event, identity: bytes) -> Event:
    """The event, unique in the journal by this identity instead of its source and id."""
    kept = msgspec.structs.replace(event)
    kept.__dict__["identity"] = identity
    return kept


async def same_event(one: Event, other: Event) -> bool:
    """Whether two events say the same: equal attributes, and equal data however they are written.

    Attributes are compared exactly, as receivers and filters see them: CloudEvents defines no
    equality but that of `source` and `id`. Data that are not JSON are compared as bytes.
    """
    if _facts(one) != _facts(other):
        return False
    if one.binary or one.data is None or other.data is None:
        return one.data == other.data
    return await same_json(one.data, other.data)


def _digest(event: Event) -> bytes:
    # No attribute contains a control character, so line breaks separate the parts.
    return hashlib.sha256("\n".join(_facts(event)).encode() + (event.data or b"")).digest()


def _facts(event: Event) -> list[str]:
    """All that the publisher sent but the data, and which kind of data there are."""
    parts = [event.id, event.source, event.type, event.subject or ""]
    for name in sorted(event.attributes):
        if name not in _NOT_IDENTITY:
            value = event.attributes[name]
            parts += (name, value if type(value) is str else attribute_text(value))
    parts.append("\0none" if event.data is None else "\0bytes" if event.binary else "\0json")
    return parts


def attribute_text(value: AttributeValue) -> str:
    """An attribute in its canonical string form (CloudEvents 1.0.2, type system)."""
    if value is True:
        return "true"
    if value is False:
        return "false"
    return str(value)


def identity_of(source: str, id: str) -> bytes:
    """Source and id, hashed to 16 bytes; neither contains a control character."""
    return hashlib.blake2b(f"{source}\n{id}".encode(), digest_size=16).digest()
