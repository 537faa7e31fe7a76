"""What FastAPI cannot give: bodies read exactly, and the schemas in them as they were written."""

from typing import Annotated, TypeVar

import msgspec
from fastapi import Depends, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.responses import Response

from gateway.base import strict_json
from gateway.base.errors import PreconditionFailed, PreconditionRequired
from gateway.contracts.governance import NewSchema, Revision
from gateway.http.contracts_bodies import NewVersionBody

_DEPTH = strict_json.DEPTH + 6  # an example's data stand some levels down in the body
_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
B = TypeVar("B", bound=BaseModel)


def require_exact(body: bytes) -> None:
    """Raises Malformed for what is no strict JSON: the framework would read it as it likes."""
    strict_json.parse(body, depth=_DEPTH)


async def raw(request: Request) -> bytes:
    """The body as it came; it has been found exact before."""
    return await request.body()


RawBody = Annotated[bytes, Depends(raw)]


def exact(model: type[B], body: bytes) -> B:
    """The body once more, with every number as it was written."""
    try:
        return model.model_validate(strict_json.parse(body, depth=_DEPTH))
    except ValidationError as error:
        raise RequestValidationError(
            [{**fault, "loc": ("body", *fault["loc"])} for fault in error.errors()]
        ) from None


def new_schema(model: type[NewVersionBody], body: bytes) -> NewSchema:
    """The version in a body, its schemas as they were written."""
    members = _members(body)
    reply = members.get("reply_schema")
    text = None if reply is None or bytes(reply) == b"null" else bytes(reply)
    return exact(model, body).new_schema(bytes(members["schema"]), text)


def if_match(request: Request) -> Revision:
    """The revision that a change is meant for.

    Raises PreconditionRequired without one, PreconditionFailed for one that no contract has.
    """
    given = request.headers.get("if-match")
    if given is None:
        raise PreconditionRequired(
            "say by If-Match which state you change: the ETag that reading the contract gave, "
            "or * for whatever it is now"
        )
    tag = given.strip()
    if tag == "*":
        return "any"
    number = tag[1:-1]
    if tag != f'"{number}"' or not number.isdecimal() or not number.isascii() or len(number) > 18:
        raise PreconditionFailed("If-Match names no state that this contract has had")
    return int(number)


IfMatch = Annotated[Revision, Depends(if_match)]


def etag(revision: int) -> str:
    """The entity tag of a revision."""
    return f'"{revision}"'


def unchanged(request: Request, tag: str) -> Response | None:
    """The answer to whoever has this state already (RFC 9110, section 13.1.2)."""
    given = request.headers.get("if-none-match", "")
    tags = {each.strip().removeprefix("W/") for each in given.split(",")}
    return Response(status_code=304, headers={"etag": tag}) if tags & {tag, "*"} else None
