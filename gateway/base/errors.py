"""The errors of the gateway, as one tree without HTTP in it.

`gateway.http.problems` holds the one table that maps them to responses. A class is a kind of error,
`code` its stable name on the wire; the text says what is wrong, then what to do.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from gateway.base.faults import Fault


class NusabusError(Exception):
    """The root of the tree. `code` is stable; the message is for people."""

    code = "error"


class Reported(NusabusError):
    """An error with a `report`: further facts, which the problem document shows as members."""

    def __init__(self, message: str, report: Mapping[str, Any]) -> None:
        super().__init__(message)
        self.report = report


class Refused(NusabusError):
    """The caller's error: the same call, repeated unchanged, cannot succeed."""

    code = "refused"


class Malformed(Refused):
    """The bytes cannot be parsed as what they claim to be.

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


class RequestTimeout(Refused):
    """The rest of the request did not arrive in time."""

    code = "too-slow"


class UnsupportedMediaType(Refused):
    """The resource does not accept this media type or content coding."""

    code = "unsupported-media-type"


class NotAuthenticated(Refused):
    """The caller could not be identified. `error` is that of RFC 6750, section 3.1, if any."""

    code = "not-authenticated"
    error: str | None = None


class Forbidden(Refused):
    """The caller may not do this, or it does not exist: the answer does not say which.

    `pointer` is a JSON pointer into the body, where known.
    """

    code = "forbidden"

    def __init__(self, message: str, *, pointer: str | None = None) -> None:
        super().__init__(message)
        self.pointer = pointer


class NotFound(Refused):
    """There is no such resource that the caller may see."""

    code = "not-found"


class Gone(Refused, Reported):
    """It was there, and was removed when its time was over. `report` may say what is kept."""

    code = "gone"

    def __init__(self, message: str, report: Mapping[str, Any] = MappingProxyType({})) -> None:
        super().__init__(message, report)


class Conflict(Refused):
    """The current state does not allow it; the message says which state."""

    code = "conflict"


class Incompatible(Conflict, Reported):
    """A new version would break others. `report` holds the comparison and its impact."""

    code = "incompatible"


class ConfirmationRequired(Conflict, Reported):
    """The change cannot be undone and affects others, see `report`: the caller must confirm it."""

    code = "unconfirmed"


class PreconditionRequired(Refused):
    """A change needs an `If-Match` header (RFC 6585, section 3)."""

    code = "precondition-required"


class PreconditionFailed(Refused):
    """The resource has changed since it was read (RFC 9110, section 13.1.1)."""

    code = "precondition-failed"


class IdentifierReused(Conflict):
    """Another event with this source and id is already stored."""

    code = "identifier-reused"

    def __init__(self) -> None:
        super().__init__(
            "Its source has already published another event with this id. Give each event an id "
            "of its own."
        )


class AlreadyAnswered(Conflict):
    """The request already has another reply."""

    code = "already-answered"


class NoReply(Reported):
    """The deadline of a request passed without a reply. `report` says what is known."""

    code = "no-reply"


class Invalid(Refused):
    """A request is well formed but breaks a rule of its resource.

    `pointer` is a JSON pointer into the body, `parameter` the name of a query, path or header
    parameter, where known. If several things are wrong, `faults` has them, the first one included.
    """

    code = "invalid"

    def __init__(
        self,
        message: str,
        *,
        pointer: str | None = None,
        parameter: str | None = None,
        faults: Sequence[Fault] = (),
    ) -> None:
        super().__init__(message)
        self.pointer, self.parameter, self.faults = pointer, parameter, tuple(faults)


@dataclass(frozen=True, slots=True)
class Violation:
    """One rule of the contract that the data break; never holds a classified value."""

    pointer: str
    keyword: str
    message: str


class ContractViolation(Refused):
    """The data break the contract. At most 20 violations are listed; `total` counts them all."""

    code = "contract-violation"

    def __init__(
        self, type: str, version: int, violations: Sequence[Violation], total: int
    ) -> None:
        super().__init__(
            f"The data violate contract {type} version {version}; violations: {total}. "
            "Correct the data and publish again."
        )
        self.type = type
        self.version = version
        self.violations = tuple(violations)
        self.total = total


class TooExpensive(Refused):
    """Validating the data takes more CPU or memory than one event may take."""

    code = "too-expensive"


class FailedDependency(Refused):
    """The event is valid, but another event of its all-or-nothing batch was refused."""

    code = "withheld"

    def __init__(self) -> None:
        super().__init__(
            "The event is valid but was not stored, because the batch is all-or-nothing. Correct "
            "the refused events and send the batch again."
        )


class TooManyRequests(Reported):
    """The caller asks for more than its part; nothing was done. It may try again later.

    `retry_after` is in seconds, `fields` are further headers for the answer, by name.
    """

    code = "too-many-requests"

    def __init__(
        self,
        message: str,
        report: Mapping[str, Any] = MappingProxyType({}),
        *,
        retry_after: int = 1,
        fields: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        super().__init__(message, report)
        self.retry_after = retry_after
        self.fields = fields


class ShareExceeded(TooManyRequests):
    """The organisation has more in progress than its share of an overloaded gateway."""

    code = "share-exceeded"


class Unavailable(NusabusError):
    """A dependency does not answer. The outcome may be unknown: repeat with the same id.

    `dependency` names it where the cause is an outage.
    """

    code = "unavailable"
    retry_after = 2  # seconds
    dependency: str | None = None


class JournalUnavailable(Unavailable):
    """The journal did not confirm. The event may be stored or not; a repeat stores it once."""

    code = "journal-unavailable"
    dependency = "database"


class NoResponder(Unavailable):
    """No responder serves requests of this type now; nothing was stored."""

    code = "no-responder"
    retry_after = 10


class BacklogFull(Unavailable):
    """The backlog is full: accepting more events would only hide the outage."""

    code = "backlog-full"
    retry_after = 10


class BrokerUnavailable(Unavailable):
    """The call needs RabbitMQ, which does not answer."""

    code = "broker-unavailable"
    dependency = "broker"


class Overloaded(Unavailable):
    """Too many expensive calls are waiting; nothing was done."""

    code = "overloaded"
