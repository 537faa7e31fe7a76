"""What a client is shown of an event that it may know of, and may not read.

The operator's auditors, and administrators, see where an event is and what became of it. What its
sender wrote into it may be personal data, and names of people have no form that could be found: it
is withheld whole (docs/decisions/0026-who-sees-what-of-an-event.md).
"""

import msgspec

from gateway.base.event import REQUESTED_BY, Event
from gateway.base.masking import MASK
from gateway.contracts import Failure

WITHHELD = MASK
_JSON = "application/json"
SOURCE = "urn:nusabus:withheld"
# Checked by publishing to be nothing else, or set by the gateway.
_KEPT = {"time", "traceparent", "requestid", "requestexpiry", REQUESTED_BY, "corrects"}
_BY_SUBSCRIBERS = {Failure.REJECTED, Failure.RELEASED}


def withheld(event: Event) -> Event:
    """The event without its data and without what its sender wrote into its attributes."""
    kept = {name: value for name, value in event.attributes.items() if name in _KEPT}
    if event.attributes.get("datacontenttype") == _JSON:
        kept["datacontenttype"] = _JSON
    return msgspec.structs.replace(
        event, id=WITHHELD, source=SOURCE, subject=None, attributes=kept, data=None
    )


def withheld_detail(failure: Failure, detail: str) -> str:
    """Why a delivery failed, without the words of the subscriber."""
    return WITHHELD if failure in _BY_SUBSCRIBERS else detail
