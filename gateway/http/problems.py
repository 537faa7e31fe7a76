"""Errors on the wire: one table from the error tree to problem+json (RFC 9457)."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response

from gateway.base import errors
from gateway.base.json_pointer import json_pointer
from gateway.base.masking import mask
from gateway.base.telemetry import log
from gateway.http.models import Absent

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
    errors.PreconditionFailed: 412,
    errors.PreconditionRequired: 428,
    errors.RequestTimeout: 408,
    errors.TooLarge: 413,
    errors.UnsupportedMediaType: 415,
    errors.Invalid: 422,
    errors.FailedDependency: 424,
    errors.ContractViolation: 422,
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
    "withheld": "Not stored: another event of the batch was refused",
    "unavailable": "Temporarily unavailable",
    "journal-unavailable": "Outcome unknown",
    "database-unavailable": "Temporarily unavailable",
    "broker-unavailable": "Temporarily unavailable",
    "backlog-full": "Backlog full",
    "overloaded": "Too many requests in progress",
    "share-exceeded": "Too many requests of the organisation in progress",
    "too-many-requests": "Too many requests",
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
    parameter: str | Absent = Field(
        default=None,
        description="The name of the query, path or header parameter that is wrong.",
        examples=["cursor"],
    )
    byte: int | Absent = Field(
        default=None, description="The offset in the request body, in bytes, where parsing failed."
    )
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
        if isinstance(error, errors.Reported):
            members |= error.report
        for name in ("pointer", "parameter", "byte"):
            value = getattr(error, name, None)
            if value is not None:
                members[name] = mask(value) if isinstance(value, str) else value
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
    412: (
        "The resource has changed since the state that If-Match names.",
        errors.PreconditionFailed("The contract has changed. Read it again."),
    ),
    413: ("A limit on size is exceeded.", errors.TooLarge("The body may have 65536 bytes.")),
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
        return {"www-authenticate": 'Bearer realm="nusabus"'}
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


def install(app: FastAPI) -> None:
    """Let every route answer its errors this way."""

    @app.exception_handler(errors.NusabusError)
    async def known(_: Request, error: errors.NusabusError) -> Response:
        return response(error)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        return response(_invalid(error))

    @app.exception_handler(HTTPException)
    async def framework(_: Request, error: HTTPException) -> Response:
        status = HTTPStatus(error.status_code)
        problem = Problem(
            type="about:blank",
            title=status.phrase,
            status=int(status),
            detail=str(error.detail),
        )
        body = problem.model_dump(exclude_unset=True)
        return Response(_encode(body), int(status), error.headers, MEDIA_TYPE)

    @app.exception_handler(Exception)
    async def defect(request: Request, error: Exception) -> Response:
        log().error("http.request_crashed", path=request.url.path, exc_info=error)
        return response(DEFECT)


def _invalid(error: RequestValidationError) -> errors.Malformed | errors.Invalid:
    """FastAPI's finding as an error of ours. The first fault says where."""
    faults = error.errors()
    where: tuple[int | str, ...] = faults[0]["loc"] if faults else ("body",)
    message = "; ".join(
        f"{'/'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in faults[:20]
    )
    if any(fault["type"] == "json_invalid" for fault in faults):
        return errors.Malformed(f"The body is not JSON: {message}")
    if where[0] != "body":
        return errors.Invalid(message, parameter=str(where[1]))
    return errors.Invalid(message, pointer=json_pointer(where[1:]))
