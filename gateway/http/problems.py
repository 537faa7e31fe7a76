"""Errors on the wire: one table from the error tree to problem+json (RFC 9457)."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from gateway.base import errors
from gateway.base.masking import mask
from gateway.base.telemetry import log

TYPE = "https://nusabus.go.id/problems/"
MEDIA_TYPE = "application/problem+json"
DEFECT = errors.NusabusError("a defect of the gateway; it has been logged")
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
    errors.TooSlow: 408,
    errors.TooLarge: 413,
    errors.UnsupportedMediaType: 415,
    errors.Invalid: 422,
    errors.Withheld: 424,
    errors.ContractViolation: 422,
    errors.Refused: 400,
    errors.Unavailable: 503,
    errors.NoReply: 504,
    errors.NusabusError: 500,
}
TITLES = {
    "malformed": "The request cannot be read",
    "not-authenticated": "Who is calling is not known",
    "forbidden": "Not permitted",
    "not-found": "Not found",
    "conflict": "The present state does not allow this",
    "incompatible": "The new version would break somebody",
    "unconfirmed": "Not without a confirmation",
    "precondition-required": "If-Match is missing",
    "precondition-failed": "It was changed meanwhile",
    "identifier-reused": "The id belongs to another event",
    "too-large": "A limit is exceeded",
    "too-slow": "The request took too long to arrive",
    "unsupported-media-type": "The media type is not supported",
    "invalid": "A rule is broken",
    "contract-violation": "The data break the contract",
    "withheld": "Another event of the batch was refused",
    "unavailable": "Temporarily not available",
    "journal-unavailable": "The outcome is not known",
    "database-unavailable": "Temporarily not available",
    "broker-unavailable": "Temporarily not available",
    "backlog-full": "The bus is too far behind",
    "no-responder": "Nobody answers this type of request",
    "no-reply": "No reply came in time",
    "already-answered": "The request was answered before",
}


def status_of(error: errors.NusabusError) -> int:
    """The status code of an error."""
    return next(STATUS[cls] for cls in type(error).__mro__ if cls in STATUS)


def describe(error: errors.NusabusError) -> dict[str, Any]:
    """The members of the problem document of an error."""
    problem: dict[str, Any] = {
        "type": f"{TYPE}{error.code}",
        "title": TITLES.get(error.code, error.code.replace("-", " ").capitalize()),
        "status": status_of(error),
        "detail": mask(str(error)),
    }
    if isinstance(error, errors.ContractViolation):
        problem["contract"] = error.type
        problem["version"] = error.version
        problem["violations"] = error.violations
        problem["total"] = error.total
    problem.update(getattr(error, "report", {}))
    for name in ("pointer", "byte"):
        value = getattr(error, name, None)
        if value is not None:
            problem[name] = mask(value) if isinstance(value, str) else value
    return problem


def headers_of(error: errors.NusabusError) -> dict[str, str]:
    """What a client needs beside the document."""
    if isinstance(error, errors.NotAuthenticated):
        return {"www-authenticate": 'Bearer realm="nusabus"'}
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
        found = error.errors()
        where = found[0]["loc"] if found else ()
        pointer = "".join(f"/{step}" for step in where[1:]) or None
        message = "; ".join(
            f"{'/'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in found[:20]
        )
        if any(fault["type"] == "json_invalid" for fault in found):
            return response(errors.Malformed(f"the body is not JSON: {message}", pointer=pointer))
        return response(errors.Invalid(message, pointer=pointer))

    @app.exception_handler(HTTPException)
    async def framework(_: Request, error: HTTPException) -> Response:
        status = HTTPStatus(error.status_code)
        problem = {
            "type": "about:blank",
            "title": status.phrase,
            "status": int(status),
            "detail": str(error.detail),
        }
        return Response(_encode(problem), int(status), error.headers, MEDIA_TYPE)

    @app.exception_handler(Exception)
    async def defect(request: Request, error: Exception) -> Response:
        log().error("http.defect", path=request.url.path, exc_info=error)
        return response(DEFECT)
