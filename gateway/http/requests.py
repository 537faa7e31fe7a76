"""`/v1/requests`: look at a request, answer it. Requester stands in `asking`."""

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Path, Request, Response
from pydantic import BaseModel, Field

from gateway.base import errors
from gateway.base.event import Event
from gateway.http.asking import EVENT, place, shown, single, wait_of
from gateway.http.deps import Caller, require_role
from gateway.http.parts import ApiPartsHere
from gateway.identity import Client, Role
from gateway.request_reply import Responder, State

router = APIRouter(prefix="/v1/requests", tags=["requests"])
JSON = "application/json"
_encode = msgspec.json.Encoder().encode
Id = Annotated[str, Path(pattern="^[0-9a-f]{32}$", description="as the Location of the request")]
Answerer = Annotated[Client, Depends(require_role(Role.SUBSCRIBER))]


class PlaceBody(BaseModel):
    """Where a half of the pair stands in the journal."""

    source: str
    id: str
    shard: int
    sequence: int
    recordedtime: str


class RefusedBody(BaseModel):
    """A reply that was refused."""

    recordedtime: str
    organisation: str
    reason: str


class RequestBody(BaseModel):
    """A request as it stands. `reply` is the event that answers it."""

    id: str
    type: str
    state: State
    expires: str
    request: PlaceBody
    reply: dict[str, Any] | None
    refused_replies: list[RefusedBody] = Field(description="once it has expired")


class ReplyBody(BaseModel):
    """A reply that is stored. `late`: after the deadline; it is kept all the same."""

    request: str
    late: bool
    duplicate: bool
    reply: PlaceBody


@router.get("/{id}", response_model=RequestBody)
async def show(id: Id, http: Request, by: Caller, parts: ApiPartsHere) -> Response:
    """A request and its reply; with `Prefer: wait=N` once the reply is there, or after N seconds.

    For the asker, the responder and the operator's auditors, who see no data.
    """
    wait = wait_of(http.headers.raw)
    found = await parts.asking.show(bytes.fromhex(id), by, wait=wait)
    text = shown(found, parts, data=parts.asking.may_read(found, by))
    applied = {"preference-applied": f"wait={wait:g}"} if wait else None
    return Response(text, 200, applied, JSON)


@router.post(
    "/{id}/reply",
    response_model=ReplyBody,
    status_code=201,
    responses={200: {"model": ReplyBody}},
    openapi_extra={"requestBody": EVENT},
)
async def reply(id: Id, http: Request, by: Answerer, parts: ApiPartsHere) -> Response:
    """Answer a request that this organisation is asked. The first reply counts."""
    said: Event | errors.Refused
    try:
        said = single(http.headers.raw, await http.body(), parts)
    except errors.Refused as error:
        said = error
    responder = Responder(by.id, by.organisation)
    replied = await parts.answering.reply(bytes.fromhex(id), said, responder)
    answer = {
        "request": id,
        "late": replied.late,
        "duplicate": replied.duplicate,
        "reply": place(replied.reply),
    }
    return Response(_encode(answer), 200 if replied.duplicate else 201, None, JSON)
