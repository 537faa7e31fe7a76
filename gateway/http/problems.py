"""Errors on the wire: one table from the error tree to problem+json (RFC 9457)."""

from collections.abc import Mapping
from typing import Any

import msgspec
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from gateway.base import errors
from gateway.base.faults import Fault
from gateway.base.masking import mask
from gateway.http.models import Absent
from gateway.http.reports import CompatibilityReport, Impact, RefusedReply

TYPE = "https://nusabus.go.id/problems/"
MEDIA_TYPE = "application/problem+json"
DEFECT = errors.NusabusError("The gateway has a defect. It has been logged.")
Responses = dict[int | str, dict[str, Any]]
"""What FastAPI takes as `responses=`."""
_encode = msgspec.json.Encoder().encode

# The most special class on the way up decides.
STATUS: Mapping[type[errors.NusabusError], int] = {
    errors.Malformed: 400,
    errors.NotAuthenticated: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.Gone: 410,
    errors.PreconditionFailed: 412,
    errors.PreconditionRequired: 428,
    errors.RequestTimeout: 408,
    errors.TooLarge: 413,
    errors.UnsupportedMediaType: 415,
    errors.Invalid: 422,
    errors.FailedDependency: 424,
    errors.ContractViolation: 422,
    errors.TooExpensive: 422,
    errors.Refused: 400,
    errors.TooManyRequests: 429,
    errors.Unavailable: 503,
    errors.NoReply: 504,
    errors.NusabusError: 500,
}
TITLES = {
    "error": "Internal error",
    "malformed": "Malformed request",
    "not-authenticated": "Authentication required",
    "forbidden": "Not permitted",
    "organisation-suspended": "Organisation suspended",
    "not-found": "Not found",
    "gone": "No longer kept",
    "conflict": "Conflict with the current state",
    "incompatible": "Incompatible version",
    "unconfirmed": "Confirmation required",
    "precondition-required": "If-Match required",
    "precondition-failed": "The resource has changed",
    "identifier-reused": "Event id already used",
    "too-large": "Limit exceeded",
    "too-slow": "Request timed out",
    "unsupported-media-type": "Unsupported media type",
    "invalid": "Invalid request",
    "contract-violation": "Contract violation",
    "too-expensive": "Too expensive to validate",
    "withheld": "Not stored: another event of the batch was refused",
    "too-many-requests": "Too many requests",
    "quota-exceeded": "Quota exceeded",
    "quota-reached": "Quota reached",
    "unavailable": "Temporarily unavailable",
    "journal-unavailable": "Outcome unknown",
    "database-unavailable": "Temporarily unavailable",
    "broker-unavailable": "Temporarily unavailable",
    "backlog-full": "Backlog full",
    "overloaded": "Too many requests in progress",
    "share-exceeded": "Too many requests of the organisation in progress",
    "no-responder": "No responder",
    "no-reply": "No reply before the deadline",
    "already-answered": "Request already answered",
}


class Problem(BaseModel):
    """An error (RFC 9457). `type` is stable; `detail` says what is wrong, then what to do."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(
        description="A stable URI that identifies the kind of problem.",
        examples=[f"{TYPE}invalid"],
        json_schema_extra={"format": "uri-reference"},
    )
    title: str = Field(
        description="A short text for this kind of problem.", examples=["Invalid request"]
    )
    status: int = Field(description="The HTTP status code.", examples=[422])
    detail: str = Field(description="What is wrong, then what to do.")
    pointer: str | Absent = Field(
        default=None,
        description="An RFC 6901 pointer to the part of the request body that is wrong.",
        examples=["/terms/rate"],
    )
    faults: list[Fault] | Absent = Field(default=None, description="All faults of a schema.")
    parameter: str | Absent = Field(
        default=None,
        description="The name of the query, path or header parameter that is wrong.",
        examples=["cursor"],
    )
    byte: int | Absent = Field(default=None, description="The byte of the body that is wrong.")
    contract: str | Absent = Field(
        default=None, description="The event type whose contract the data violate."
    )
    version: int | Absent = Field(
        default=None, description="The contract version that validated the data."
    )
    violations: list[errors.Violation] | Absent = Field(
        default=None,
        description="The first 20 violations. Each pointer is relative to the data of the event.",
    )
    total: int | Absent = Field(default=None, description="How many violations there are.")
    compatibility: CompatibilityReport | Absent = Field(
        default=None, description="Why a new version is refused."
    )
    impact: Impact | Absent = Field(default=None, description="Who the change would affect.")
    versions: list[int] | Absent = Field(
        default=None, description="The versions that the change would retire."
    )
    kept_from: str | Absent = Field(
        default=None,
        description="All events of these types from this time on are kept.",
        json_schema_extra={"format": "date-time"},
    )
    kept_after: dict[str, int] | Absent = Field(
        default=None, description="By shard, after which sequence all of them are kept."
    )
    request: str | Absent = Field(
        default=None, description="The id of the request that had no reply in time."
    )
    refused_replies: list[RefusedReply] | Absent = Field(
        default=None, description="The replies that broke the contract."
    )

    @classmethod
    def of(cls, error: errors.NusabusError) -> "Problem":
        """The problem document of an error; personal numbers in it are masked."""
        members: dict[str, Any] = {
            "type": f"{TYPE}{error.code}",
            "title": TITLES.get(error.code, error.code.replace("-", " ").capitalize()),
            "status": status_of(error),
            "detail": mask(str(error)),
        }
        if isinstance(error, errors.ContractViolation):
            members |= {
                "contract": error.type,
                "version": error.version,
                "violations": list(error.violations),
                "total": error.total,
            }
        if isinstance(error, errors.Invalid) and error.faults:
            members["faults"] = [Fault(mask(f.pointer), mask(f.message)) for f in error.faults]
        for name in ("pointer", "parameter", "byte"):
            value = getattr(error, name, None)
            if value is not None:
                members[name] = mask(value) if isinstance(value, str) else value
        if isinstance(error, errors.Reported):
            return cls.model_validate({**members, **error.report})
        return cls.model_construct(**members)


_VIOLATION = errors.Violation("/nik", "pattern", "the value does not match")
# What an operation may answer: a sentence, and an example.
_DOCUMENTED: Mapping[int, tuple[str, errors.NusabusError]] = {
    400: (
        "The request cannot be parsed.",
        errors.Malformed("The body is not JSON.", pointer="", byte=17),
    ),
    401: (
        "The access token is missing, invalid or expired.",
        errors.NotAuthenticated("Send a valid access token as `Authorization: Bearer <token>`."),
    ),
    403: (
        "The roles or grants of the client do not permit this.",
        errors.Forbidden("This needs the role subscriber."),
    ),
    404: (
        "No such resource is visible to the client.",
        errors.NotFound("No such resource is visible to you."),
    ),
    408: (
        "The body did not arrive in time.",
        errors.RequestTimeout("The body must arrive within 60 seconds."),
    ),
    409: (
        "The current state does not allow this.",
        errors.Conflict("The subscription is paused. Resume it first."),
    ),
    410: (
        "What is asked for was removed, because its contract keeps it no longer.",
        errors.Gone(
            "Events of these types from before 2026-04-01T00:00:00Z were removed. Start there, or "
            "with `beginning` for all that is kept.",
            {"kept_from": "2026-04-01T00:00:00Z", "kept_after": {"0": 4711}},
        ),
    ),
    412: (
        "The resource has changed since the state that If-Match names.",
        errors.PreconditionFailed("The contract has changed. Read it again."),
    ),
    413: (
        "A limit on size is exceeded.",
        errors.TooLarge("The body is larger than 65536 bytes. Send less."),
    ),
    415: (
        "The media type or content coding is not supported.",
        errors.UnsupportedMediaType("Use application/cloudevents+json."),
    ),
    422: (
        "A parameter or the body breaks a rule.",
        errors.Invalid("Invalid cursor. Use `next` from this list, or omit `cursor`."),
    ),
    428: (
        "If-Match is missing.",
        errors.PreconditionRequired("Send If-Match with the ETag of the contract, or `*`."),
    ),
    429: (
        "A quota is used up, or the gateway is busy. Repeat the request after Retry-After.",
        errors.TooManyRequests("The organisation has used up its quota of events. Wait 1 s."),
    ),
    500: ("The gateway has a defect. It has been logged.", DEFECT),
    503: (
        "Temporarily unavailable, or the outcome is unknown. Repeat the request after Retry-After.",
        errors.Unavailable("PostgreSQL does not answer. Repeat the request."),
    ),
    504: (
        "The deadline passed without a reply.",
        errors.NoReply(
            "No reply came before 2026-05-04T03:02:01Z.",
            {"request": "4c1b8bd5a8f1b1fd1a7b6f4e9f0a2c3d", "refused_replies": []},
        ),
    ),
}


def responses(*statuses: int, body: bool = False, **described: str) -> Responses:
    """The `responses=` of an operation that an access token opens.

    401, 429, 500 and 503 are always among them; with a `body` what reading one may answer. A
    keyword such as `_409="..."` documents a status with a sentence of its own.
    """
    own = {int(name.removeprefix("_")): text for name, text in described.items()}
    always = {401, 429, 500, 503} | ({400, 408, 413, 422} if body else set())
    return {
        status: documented(status, own.get(status)) for status in sorted({*statuses, *own} | always)
    }


def documented(status: int, description: str | None = None) -> dict[str, Any]:
    """The description of an error status in the OpenAPI document."""
    text, error = _DOCUMENTED[status]
    return {
        "description": description or text,
        "content": {
            MEDIA_TYPE: {
                "schema": {"$ref": "#/components/schemas/Problem"},
                "example": describe(error),
            }
        },
    }


def status_of(error: errors.NusabusError) -> int:
    """The status code of an error."""
    return next(STATUS[cls] for cls in type(error).__mro__ if cls in STATUS)


def describe(error: errors.NusabusError) -> dict[str, Any]:
    """The members of the problem document of an error."""
    return Problem.of(error).model_dump(exclude_unset=True)


def headers_of(error: errors.NusabusError) -> dict[str, str]:
    """The headers that a client needs beside the document."""
    if isinstance(error, errors.NotAuthenticated):
        challenge = 'Bearer realm="nusabus"'
        if error.error is not None:
            challenge += f', error="{error.error}"'
        return {"www-authenticate": challenge}
    if isinstance(error, errors.TooManyRequests):
        return {"retry-after": str(error.retry_after), **error.fields}
    if isinstance(error, errors.Unavailable):
        return {"retry-after": str(error.retry_after)}
    return {}


def response(error: errors.NusabusError, **more: Any) -> Response:
    """The response for an error, with further members."""
    return Response(
        _encode({**describe(error), **more}), status_of(error), headers_of(error), MEDIA_TYPE
    )
