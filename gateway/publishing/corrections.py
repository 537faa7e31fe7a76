"""The event that corrects another one: the same again under an id of its own, with what is new."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from gateway.base import strict_json
from gateway.base.errors import Invalid, Malformed
from gateway.base.event import AttributeValue, Event
from gateway.publishing import attributes as rules

CAUSATION = "causationid"  # of the CloudEvents extension Correlation: the id of the old event
CORRECTS = "corrects"  # ours: the `sequence` of the old event, as an id alone names none
_SET_BY_GATEWAY = {CAUSATION, CORRECTS}
_STAYS = {"specversion", "id", "source", "type", "datacontenttype"}
_encode = msgspec.json.Encoder(decimal_format="number", order="deterministic").encode


@dataclass(frozen=True, slots=True)
class Correction:
    """What is new: the data as JSON text, None where they stay; attributes, None to go."""

    data: bytes | None = None
    attributes: Mapping[str, AttributeValue | None] = field(default_factory=dict)


def corrected(event: Event, correction: Correction, *, id: str, sequence: str) -> Event:
    """The corrected event; `sequence` is where the old one stands.

    Raises Malformed for attributes that cannot be, Invalid where nothing is new.
    """
    for name in correction.attributes:
        if name in _STAYS:
            raise Malformed(f"{name} stays as it is: publish a new event", pointer=name)
        if name in _SET_BY_GATEWAY:
            raise Malformed(f"{name} is set by the gateway: leave it out", pointer=name)
    before: dict[str, AttributeValue] = dict(event.attributes)
    if event.subject is not None:
        before["subject"] = event.subject
    given = {**before, **correction.attributes}
    after = {name: value for name, value in given.items() if value is not None}
    data = event.data if correction.data is None else correction.data
    if after == before and _canonical(data) == _canonical(event.data):
        raise Invalid("nothing is new in it: send the dead letter again instead (redrive)")
    says = {CAUSATION: event.id, CORRECTS: sequence}
    named = {"specversion": "1.0", "id": id, "source": event.source, "type": event.type}
    return rules.accept({**after, **says, **named}, data, event.binary)


def _canonical(data: bytes | None) -> bytes | None:
    """The same for the same JSON, however it is written; what is none is as it is."""
    try:
        return None if data is None else _encode(strict_json.parse(data))
    except Malformed:  # whoever judges it says where
        return data
