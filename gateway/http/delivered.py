"""An event as receivers get it, whichever way."""

from gateway.amqp import message
from gateway.contracts import Pattern
from gateway.correlation import handed_out
from gateway.http.parts import ApiParts
from gateway.journal import Entry, sequence_text
from gateway.times import rfc3339
from gateway.typepattern import is_reply, request_type


def delivered(entry: Entry, parts: ApiParts) -> bytes:
    """The event as structured CloudEvents JSON, with what the journal and the contract say."""
    contract = parts.catalogue.contract(request_type(entry.event.type))
    asked = (
        contract is not None
        and contract.pattern is Pattern.REQUEST_REPLY
        and not is_reply(entry.event.type)
    )
    return message.body(
        handed_out(entry.event, entry.recorded) if asked else entry.event,
        sequence_text(entry.shard, entry.sequence),
        rfc3339(entry.recorded),
        contract.classification.value if contract else None,
    )
