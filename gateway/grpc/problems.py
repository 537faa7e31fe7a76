"""Errors on the wire: the status of a call, with the problem that HTTP has as its details."""

from collections.abc import Mapping

import msgspec
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import (  # type: ignore[import-untyped]  # it has no types
    code_pb2,
    error_details_pb2,
    status_pb2,
)

from gateway.base import errors
from gateway.grpc.wire.bus_pb2 import Problem, Violation
from gateway.http import problems

DOMAIN = "nusabus.go.id"
_encode = msgspec.json.Encoder().encode

# The most special class on the way up decides.
CODES: Mapping[type[errors.NusabusError], int] = {
    errors.Refused: code_pb2.INVALID_ARGUMENT,
    errors.NotAuthenticated: code_pb2.UNAUTHENTICATED,
    errors.Forbidden: code_pb2.PERMISSION_DENIED,
    errors.NotFound: code_pb2.NOT_FOUND,
    errors.Gone: code_pb2.OUT_OF_RANGE,
    errors.Conflict: code_pb2.FAILED_PRECONDITION,
    errors.IdentifierReused: code_pb2.ALREADY_EXISTS,
    errors.PreconditionFailed: code_pb2.ABORTED,
    errors.PreconditionRequired: code_pb2.FAILED_PRECONDITION,
    errors.FailedDependency: code_pb2.FAILED_PRECONDITION,
    errors.RequestTimeout: code_pb2.DEADLINE_EXCEEDED,
    errors.NoReply: code_pb2.DEADLINE_EXCEEDED,
    errors.TooManyRequests: code_pb2.RESOURCE_EXHAUSTED,
    errors.Unavailable: code_pb2.UNAVAILABLE,
    errors.NusabusError: code_pb2.INTERNAL,
}


def code_of(error: errors.NusabusError) -> int:
    """The status code of a call that ends with an error."""
    return next(CODES[cls] for cls in type(error).__mro__ if cls in CODES)


def problem_of(error: errors.NusabusError) -> Problem:
    """The problem of an error, as HTTP would answer it."""
    members = problems.describe(error)
    return Problem(
        type=members["type"],
        title=members["title"],
        status=members["status"],
        detail=members["detail"],
        pointer=members.get("pointer", ""),
        violations=[
            Violation(pointer=each.pointer, keyword=each.keyword, message=each.message)
            for each in getattr(error, "violations", ())
        ],
        document=_encode(members).decode(),
    )


def status_of(error: errors.NusabusError) -> status_pb2.Status:
    """The status of a call, with its details."""
    problem = problem_of(error)
    status = status_pb2.Status(code=code_of(error), message=problem.detail)
    details: list[Message] = [
        problem,
        error_details_pb2.ErrorInfo(reason=error.code, domain=DOMAIN),
    ]
    fields = [(v.pointer, v.message) for v in problem.violations]
    if problem.pointer:
        fields.append((problem.pointer, problem.detail))
    if fields:
        bad = error_details_pb2.BadRequest()
        for pointer, description in fields:
            bad.field_violations.add(field=pointer, description=description)
        details.append(bad)
    if isinstance(error, errors.Unavailable | errors.TooManyRequests):
        wait = Duration(seconds=error.retry_after)
        details.append(error_details_pb2.RetryInfo(retry_delay=wait))
    for detail in details:
        status.details.add().Pack(detail)
    return status
