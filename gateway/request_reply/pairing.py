"""What makes a pair of a request and its reply, by pure functions.

A request is known by its identity, written in hexadecimal: the same wherever it is worked out. In
the journal its reply is held unique by an identity that follows from the request's, so the first
reply is the only one, whichever process takes it, and no table says which reply is whose.

CloudEvents attributes: `expirytime` (of the specification's extensions) is the deadline; a reply
repeats the request's `correlationid` and has its id as `causationid` (extension Correlation). As an
id alone does not name an event, a request that is handed out and its reply have `requestid` too.
A reply also says whose request it answers (`requestedby`) and the deadline of that
(`requestexpiry`), so that whoever gets it needs no look at the request.
"""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import blake2b

import msgspec

from gateway.base.errors import Invalid, Malformed
from gateway.base.event import REQUESTED_BY, AttributeValue, Event, known_as
from gateway.base.times import rfc3339
from gateway.base.type_pattern import reply_type
from gateway.contracts import LONGEST_LIFETIME

DEFAULT_LIFETIME = timedelta(seconds=30)
REQUEST_ID = "requestid"
REQUEST_EXPIRY = "requestexpiry"
_EXPIRY = "expirytime"
_ID = re.compile(r"[0-9a-f]{32}")


def identity_of_request(id: str) -> bytes | None:
    """The identity that a request's id stands for; None where it is none."""
    return bytes.fromhex(id) if _ID.fullmatch(id) else None


def reply_identity(request: bytes) -> bytes:
    """What the reply to a request is held unique by. No event has it: none holds a control."""
    return blake2b(b"\0reply\0" + request, digest_size=16).digest()


def deadline(request: Event, recorded: datetime) -> datetime:
    """Until when a reply is in time: what the asker said, or 30 s after it was recorded."""
    said = request.attributes.get(_EXPIRY)
    found = _moment(said) if isinstance(said, str) else None
    return recorded + DEFAULT_LIFETIME if found is None else found


def expired(request: Event, recorded: datetime) -> bool:
    """Whether the deadline has passed."""
    return deadline(request, recorded) <= datetime.now(UTC)


def asked(request: Event) -> Event:
    """The request as it may be stored. Raises Invalid or Malformed for what nobody may say."""
    for name in (REQUEST_ID, REQUESTED_BY, REQUEST_EXPIRY):
        if name in request.attributes:
            raise Malformed(
                f"the attribute {name} is set by the gateway: leave it out", pointer=name
            )
    said = request.attributes.get(_EXPIRY)
    if said is None:
        return request
    until = _moment(said) if isinstance(said, str) else None
    if until is None:
        raise Invalid(
            f"{_EXPIRY} must be an RFC 3339 time such as 2024-05-01T08:00:00Z", pointer=_EXPIRY
        )
    if until - datetime.now(UTC) > LONGEST_LIFETIME:
        raise Invalid(f"{_EXPIRY} may be 24 hours from now at most", pointer=_EXPIRY)
    return request


def require_request(request: Event) -> None:
    """Raises Invalid where the deadline has passed before the request is stored."""
    if _EXPIRY in request.attributes and expired(request, datetime.now(UTC)):
        raise Invalid(
            f"{_EXPIRY} has passed: nobody would be asked; give it a later one", pointer=_EXPIRY
        )


def handed_out(request: Event, recorded: datetime) -> Event:
    """The request as a responder gets it: with what its reply must name, and its deadline."""
    until = rfc3339(deadline(request, recorded))
    attributes = {**request.attributes, _EXPIRY: until, REQUEST_ID: request.identity.hex()}
    return msgspec.structs.replace(request, attributes=attributes)


def paired(request: Event, reply: Event, *, asker: str, until: datetime) -> Event:
    """The reply as it is stored: naming its request, and held unique as the reply to it.

    `asker` is the organisation that asked, `until` the deadline. Raises Invalid where the reply
    says that it is another's.
    """
    if reply.type != reply_type(request.type):
        raise Invalid(f"the reply must be of type {reply_type(request.type)}", pointer="type")
    says: dict[str, AttributeValue] = {
        REQUEST_ID: request.identity.hex(),
        REQUESTED_BY: asker,
        REQUEST_EXPIRY: rfc3339(until),
        "causationid": request.id,
    }
    if "correlationid" in request.attributes:
        says["correlationid"] = request.attributes["correlationid"]
    for name, value in says.items():
        if reply.attributes.get(name, value) != value:
            raise Invalid(
                f"the attribute {name} is that of another request: leave it out", pointer=name
            )
    made = msgspec.structs.replace(reply, attributes={**reply.attributes, **says})
    return known_as(made, reply_identity(request.identity))


@lru_cache(maxsize=1024)
def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text.upper())
        return found.astimezone(UTC) if found.tzinfo else None
    except (ValueError, OverflowError):
        return None
