"""What receivers get of an entry: the event, and the attributes that the gateway sets."""

from gateway.base.event import Event
from gateway.contracts import Catalogue, Pattern
from gateway.journal import Entry
from gateway.request_reply import outgoing_request

GatewayAttributes = tuple[str, str, str, str | None]
"""`sequence`, `recordedtime`, `publisher` and `dataclassification`."""


def outgoing_event(entry: Entry, catalogue: Catalogue) -> tuple[Event, GatewayAttributes]:
    """The event as it is delivered, and what the journal and the contract add."""
    contract = catalogue.contract(entry.event.type)  # the type of a reply has none
    is_request = contract is not None and contract.pattern is Pattern.REQUEST_REPLY
    event = outgoing_request(entry.event, entry.recorded) if is_request else entry.event
    classification = catalogue.classification(entry.event.type)
    return event, (*entry.journal_attributes, classification)
