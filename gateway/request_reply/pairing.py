"""What makes a pair of a request and its reply, by pure functions.

A request is named by its identity, in hexadecimal: the same wherever it is computed. In the journal
its reply is held unique by an identity that follows from the request's, so the first reply is the
only one, whichever process takes it, and no table is needed to pair them.

CloudEvents attributes: `expirytime` (of the specification's extensions) is the deadline; a reply
repeats the request's `correlationid` and has its id as `causationid` (extension Correlation). As an
id alone does not identify an event, a delivered request and its reply have `requestid` too. A reply
also names the requester (`requestedby`) and the deadline (`requestexpiry`), so that its receiver
does not have to look up the request.
"""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import blake2b

import msgspec

from gateway.base.errors import Invalid, Malformed
from gateway.base.event import REQUESTED_BY, AttributeValue, Event, with_identity
from gateway.base.times import rfc3339
from gateway.base.type_pattern import reply_type
from gateway.contracts import LONGEST_LIFETIME

DEFAULT_LIFETIME = timedelta(seconds=30)
REQUEST_ID = "requestid"
REQUEST_EXPIRY = "requestexpiry"
_EXPIRY = "expirytime"
_ID = re.compile(r"[0-9a-f]{32}")


def identity_of_request(id: str) -> bytes | None:
    """The identity that a request's id stands for; None for an invalid id."""
    return bytes.fromhex(id) if _ID.fullmatch(id) else None


def reply_identity(request: bytes) -> bytes:
    """The identity that holds the reply to a request unique.

    No event has it of its own: it is a hash over a control character, and no event holds one.
    """
    return blake2b(b"\0reply\0" + request, digest_size=16).digest()


def deadline(request: Event, recorded: datetime) -> datetime:
    """Until when a reply is in time: the requester's `expirytime`, or 30 s after the record."""
    given = request.attributes.get(_EXPIRY)
    found = _moment(given) if isinstance(given, str) else None
    return recorded + DEFAULT_LIFETIME if found is None else found


def expired(request: Event, recorded: datetime) -> bool:
    """Whether the deadline has passed."""
    return deadline(request, recorded) <= datetime.now(UTC)


def validate_request(request: Event) -> None:
    """Raises Malformed for attributes that only the gateway sets, Invalid for a bad deadline."""
    for name in (REQUEST_ID, REQUESTED_BY, REQUEST_EXPIRY):
        if name in request.attributes:
            raise Malformed(f"The gateway sets the attribute {name}. Omit it.", pointer=f"/{name}")
    given = request.attributes.get(_EXPIRY)
    if given is None:
        return
    until = _moment(given) if isinstance(given, str) else None
    if until is None:
        raise Invalid(
            f"{_EXPIRY} must be an RFC 3339 time such as 2024-05-01T08:00:00Z.",
            pointer=f"/{_EXPIRY}",
        )
    if until - datetime.now(UTC) > LONGEST_LIFETIME:
        raise Invalid(f"{_EXPIRY} may be at most 24 hours from now.", pointer=f"/{_EXPIRY}")


def require_not_expired(request: Event) -> None:
    """Raises Invalid if the deadline has passed before the request is stored."""
    if _EXPIRY in request.attributes and expired(request, datetime.now(UTC)):
        raise Invalid(
            f"{_EXPIRY} has passed, so no responder would get the request. Set a later time.",
            pointer=f"/{_EXPIRY}",
        )


def outgoing_request(request: Event, recorded: datetime) -> Event:
    """The request as a responder gets it, with its id, which the reply names, and its deadline."""
    until = rfc3339(deadline(request, recorded))
    attributes = {**request.attributes, _EXPIRY: until, REQUEST_ID: request.identity.hex()}
    return msgspec.structs.replace(request, attributes=attributes)


def pair_reply(request: Event, reply: Event, *, requester: str, until: datetime) -> Event:
    """The reply as it is stored: it names its request, and is held unique as the reply to it.

    `requester` is the organisation that asked, `until` the deadline. Raises Invalid for a reply of
    another type, or one that names another request.
    """
    if reply.type != reply_type(request.type):
        raise Invalid(f"The reply must be of type {reply_type(request.type)}.", pointer="/type")
    links: dict[str, AttributeValue] = {
        REQUEST_ID: request.identity.hex(),
        REQUESTED_BY: requester,
        REQUEST_EXPIRY: rfc3339(until),
        "causationid": request.id,
    }
    if "correlationid" in request.attributes:
        links["correlationid"] = request.attributes["correlationid"]
    for name, value in links.items():
        if reply.attributes.get(name, value) != value:
            raise Invalid(
                f"The attribute {name} names another request. Omit it.", pointer=f"/{name}"
            )
    paired = msgspec.structs.replace(reply, attributes={**reply.attributes, **links})
    return with_identity(paired, reply_identity(request.identity))


@lru_cache(maxsize=1024)
def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text.upper())
        return found.astimezone(UTC) if found.tzinfo else None
    except (ValueError, OverflowError):
        return None
