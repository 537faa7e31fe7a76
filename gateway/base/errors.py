"""Everything that can go wrong, as one tree without HTTP in it.

`gateway.http.problems` holds the one table that maps these to responses. A class is a kind of
outcome; `code` is its stable name on the wire; the text is a sentence that says what to do.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


class NusabusError(Exception):
    """The root. `code` is stable; the message is for a person."""

    code = "error"


class Refused(NusabusError):
    """The caller's doing: repeating the same call unchanged cannot succeed."""

    code = "refused"


class Malformed(Refused):
    """The bytes are not what they claim to be.

    `pointer` is a JSON pointer or an attribute name, `parameter` the name of a query, path or
    header parameter, `byte` an offset in the body, where known.
    """

    code = "malformed"

    def __init__(
        self,
        message: str,
        *,
        pointer: str | None = None,
        parameter: str | None = None,
        byte: int | None = None,
    ) -> None:
        super().__init__(message)
        self.pointer = pointer
        self.parameter = parameter
        self.byte = byte


class TooLarge(Refused):
    """A limit on size or count is exceeded; the message names the limit."""

    code = "too-large"


class TooSlow(Refused):
    """The rest of the request did not come in time."""

    code = "too-slow"


class UnsupportedMediaType(Refused):
    """The media type or content coding is none that this resource reads."""

    code = "unsupported-media-type"


class NotAuthenticated(Refused):
    """Who is calling could not be established."""

    code = "not-authenticated"


class Forbidden(Refused):
    """The caller may not do this, or the thing does not exist: the two are not told apart."""

    code = "forbidden"


class NotFound(Refused):
    """No such thing that the caller may see."""

    code = "not-found"


class Conflict(Refused):
    """The present state does not allow it; the message says which state."""

    code = "conflict"


class Incompatible(Conflict):
    """A new version would break somebody. `report` says what was found, and who would be hit."""

    code = "incompatible"

    def __init__(self, message: str, report: Mapping[str, Any]) -> None:
        super().__init__(message)
        self.report = report


class Unconfirmed(Conflict):
    """What is asked for cannot be undone, and `report` says whom it hits: confirm it."""

    code = "unconfirmed"

    def __init__(self, message: str, report: Mapping[str, Any]) -> None:
        super().__init__(message)
        self.report = report


class PreconditionRequired(Refused):
    """A change must say by `If-Match` what it changes (RFC 6585, section 3)."""

    code = "precondition-required"


class PreconditionFailed(Refused):
    """Somebody else changed it meanwhile (RFC 9110, section 13.1.1)."""

    code = "precondition-failed"


class IdentifierReused(Conflict):
    """Another event with this source and id is already stored."""

    code = "identifier-reused"

    def __init__(self, source: str, id: str) -> None:
        super().__init__(
            f"source {source!r} already published another event with id {id!r}: "
            "an id names one event for ever; give the new event an id of its own"
        )


class AlreadyAnswered(Conflict):
    """The request has another reply, which came first."""

    code = "already-answered"


class NoReply(NusabusError):
    """The deadline of a request has passed without a reply. `report` says what is known."""

    code = "no-reply"

    def __init__(self, message: str, report: Mapping[str, Any]) -> None:
        super().__init__(message)
        self.report = report


class Invalid(Refused):
    """A request is well formed but breaks a rule of its resource.

    `pointer` is a JSON pointer into the body, `parameter` the name of a query, path or header
    parameter, where known.
    """

    code = "invalid"

    def __init__(
        self, message: str, *, pointer: str | None = None, parameter: str | None = None
    ) -> None:
        super().__init__(message)
        self.pointer = pointer
        self.parameter = parameter


@dataclass(frozen=True, slots=True)
class Violation:
    """One way in which data break their contract; never holds a classified value."""

    pointer: str
    keyword: str
    message: str


class ContractViolation(Refused):
    """The data break the contract. At most 20 violations are listed, `total` counts them all."""

    code = "contract-violation"

    def __init__(
        self, type: str, version: int, violations: Sequence[Violation], total: int
    ) -> None:
        super().__init__(
            f"the data break contract {type} version {version} in {total} place(s): "
            "correct them and publish again"
        )
        self.type = type
        self.version = version
        self.violations = tuple(violations)
        self.total = total


class Withheld(Refused):
    """A good event of a batch that is all or nothing and in which another was refused."""

    code = "withheld"

    def __init__(self) -> None:
        super().__init__(
            "the event is good but was not stored, because the batch is all or nothing: correct "
            "the others and send the batch again"
        )


class Unavailable(NusabusError):
    """A part that is needed does not answer. The outcome may be unknown: repeat, same id.

    `dependency` names what is away, where the cause is an outage of one.
    """

    code = "unavailable"
    retry_after = 2  # seconds
    dependency: str | None = None


class JournalUnavailable(Unavailable):
    """The journal did not confirm. The event may or may not be stored; a repeat stores it once."""

    code = "journal-unavailable"
    dependency = "database"


class NoResponder(Unavailable):
    """Nobody answers requests of this type now; nothing was stored."""

    code = "no-responder"
    retry_after = 10


class BacklogFull(Unavailable):
    """The relay is so far behind that accepting more would only hide the outage."""

    code = "backlog-full"
    retry_after = 10


class BrokerUnavailable(Unavailable):
    """RabbitMQ is needed for this call and does not answer."""

    code = "broker-unavailable"
    dependency = "broker"


class Overloaded(Unavailable):
    """Too many calls of a costly kind wait already; nothing was done."""

    code = "overloaded"
