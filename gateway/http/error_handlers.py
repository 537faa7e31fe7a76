"""Answers every exception of a route with a problem document."""

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from gateway.base import errors
from gateway.base.http_status import phrase
from gateway.base.json_pointer import json_pointer
from gateway.base.masking import mask_name
from gateway.base.rate_limit import KeyedBuckets, RateLimit
from gateway.base.telemetry import log
from gateway.http import problems
from gateway.http.context import CLIENT
from gateway.http.models import encode
from gateway.identity import Client

_LOGGED = RateLimit(1, 20)  # refused attempts of one client a second: a loop must not fill the log


def install(app: FastAPI) -> None:
    """Let every route answer its errors this way."""
    attempts = KeyedBuckets(_LOGGED)

    @app.exception_handler(errors.NusabusError)
    async def known(request: Request, error: errors.NusabusError) -> Response:
        if isinstance(error, errors.Forbidden):
            _log_attempt(request, attempts)
        return problems.response(error)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        return problems.response(invalid_body(error.errors()))

    @app.exception_handler(HTTPException)
    async def framework(_: Request, error: HTTPException) -> Response:
        status = HTTPStatus(error.status_code)
        problem = problems.Problem(
            type="about:blank",
            title=phrase(status),
            status=int(status),
            detail=str(error.detail),
        )
        body = problem.model_dump(exclude_unset=True)
        return Response(encode(body), int(status), error.headers, problems.MEDIA_TYPE)

    @app.exception_handler(Exception)
    async def defect(request: Request, error: Exception) -> Response:
        route = request.scope.get("route")  # the path itself may hold personal data
        log().error("http.request_crashed", path=getattr(route, "path", None), exc_info=error)
        return problems.response(problems.DEFECT)


def _log_attempt(request: Request, attempts: KeyedBuckets) -> None:
    """Log that a client tried what it may not do."""
    client: Client | None = request.scope.get(CLIENT)
    if client is None or attempts.wait(client.id):
        return
    attempts.spend(client.id)
    route = getattr(request.scope.get("route"), "path", None)
    organisation, method = client.organisation, request.method
    log().info("access.refused", by=client.id, organisation=organisation, method=method, path=route)


def invalid_body(faults: Sequence[Mapping[str, Any]]) -> errors.Malformed | errors.Invalid:
    """What pydantic finds in a request as an error of ours. The first fault says where."""
    where = _location(faults[0]) if faults else ("body",)
    message = "; ".join(
        f"{'/'.join(map(str, _location(fault)))}: {fault['msg']}" for fault in faults[:20]
    )
    if any(fault["type"] == "json_invalid" for fault in faults):
        return errors.Malformed(f"The body is not JSON: {message}")
    if where[0] != "body":
        return errors.Invalid(message, parameter=str(where[1]))
    return errors.Invalid(message, pointer=json_pointer(where[1:]))


# How pydantic names a branch of a union, between the names of members.
_BRANCH = re.compile(r"(literal|function-[a-z]+)\[.*\]|constrained-[a-z]+", re.DOTALL)


def _location(fault: Mapping[str, Any]) -> tuple[int | str, ...]:
    """Where a fault is. The name of a member that no model has is the sender's, and masked."""
    found: tuple[int | str, ...] = fault["loc"]
    if fault["type"] == "extra_forbidden":
        found = (*found[:-1], mask_name(str(found[-1])))
    return tuple(each for each in found if not _BRANCH.fullmatch(str(each)))
