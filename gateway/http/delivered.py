"""An event as receivers get it, whichever way."""

from gateway.broker import message
from gateway.contracts import Pattern
from gateway.http.parts import ApiParts
from gateway.journal import Entry
from gateway.request_reply import handed_out


def delivered(entry: Entry, parts: ApiParts) -> bytes:
    """The event as structured CloudEvents JSON, with what the journal and the contract say."""
    contract = parts.catalogue.contract(entry.event.type)  # a reply's type has none
    asked = contract is not None and contract.pattern is Pattern.REQUEST_REPLY
    return message.body(
        handed_out(entry.event, entry.recorded) if asked else entry.event,
        *entry.journal_attributes,
        parts.catalogue.classification(entry.event.type),
    )
