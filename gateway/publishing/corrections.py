"""The event that corrects another one: a copy with a new id and with changes."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import msgspec

from gateway.base import strict_json
from gateway.base.canonical_json import same_json
from gateway.base.errors import Invalid, Malformed
from gateway.base.event import AttributeValue, Event
from gateway.publishing.attributes import make_event, require_own, without_gateway_attributes

CAUSATION = "causationid"  # of the CloudEvents extension Correlation: the id of the old event
CORRECTS = "corrects"  # ours: the `sequence` of the old event, as an id alone does not identify it
_FIXED = {"specversion", "id", "source", "type", "datacontenttype"}


@dataclass(frozen=True, slots=True)
class Correction:
    """The changes: the data as JSON text, None to keep them; attributes, None to remove one."""

    data: bytes | None = None
    attributes: Mapping[str, AttributeValue | None] = field(default_factory=dict)


async def correct(event: Event, correction: Correction, *, id: str, sequence: str) -> Event:
    """The corrected event; `sequence` is that of the old one.

    Raises Malformed for attributes that may not change or are invalid, Invalid without a change.
    """
    for name in correction.attributes:
        if name in _FIXED:
            raise Malformed(
                f"A correction cannot change {name}. Publish a new event.",
                pointer=f"/attributes/{name}",
            )
    with _pointers_to_attributes():
        require_own(correction.attributes)
    before = without_gateway_attributes(event)
    if event.subject is not None:
        before["subject"] = event.subject
    given = {**before, **correction.attributes}
    after = {name: value for name, value in given.items() if value is not None}
    data = event.data if correction.data is None else correction.data
    if after == before and await _says_the_same(data, event.data):
        raise Invalid("The correction changes nothing. Redrive the dead letter instead.")
    named = {"specversion": "1.0", "id": id, "source": event.source, "type": event.type}
    with _pointers_to_attributes():
        corrected = make_event({**after, **named}, data, event.binary)
    links = {CAUSATION: event.id, CORRECTS: sequence}
    return msgspec.structs.replace(corrected, attributes={**corrected.attributes, **links})


@contextmanager
def _pointers_to_attributes() -> Iterator[None]:
    try:
        yield
    except Malformed as error:
        raise Malformed(str(error), pointer=f"/attributes{error.pointer or ''}") from None


async def _says_the_same(data: bytes | None, before: bytes | None) -> bool:
    if data is None or before is None:
        return data == before
    try:
        strict_json.parse(data)
    except Malformed:  # validation says where
        return data == before
    return await same_json(data, before)
