"""`POST /v1/dead-letters/{number}/resend`: correct what failed for good."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, Field, StrictBool, StrictInt, StrictStr

from gateway.base import strict_json
from gateway.base.telemetry import log
from gateway.http.context import AuthenticatedClient, Context
from gateway.http.contracts_exact import RawBody
from gateway.http.dead_letters import Number, letter_of
from gateway.http.models import RequestBody
from gateway.http.publish import ACCEPTED
from gateway.identity import Client, policy
from gateway.publishing import Correction

router = APIRouter(prefix="/v1/dead-letters", tags=["dead letters"])


class Resend(RequestBody):
    """What is new. Data and attributes that are not given stay as they were."""

    data: Annotated[Any, Field(description="the corrected data, whole")] = None
    attributes: Annotated[
        dict[str, StrictStr | StrictBool | StrictInt | None],
        Field(
            default_factory=dict,
            description="CloudEvents attributes; null takes one away",
            max_length=48,
        ),
    ]


class ResentBody(BaseModel):
    """The receipt of the corrected event. `duplicate`: it was stored by an earlier call."""

    number: int
    id: str
    source: str
    type: str
    shard: int
    sequence: int
    recordedtime: datetime
    digest: str
    duplicate: bool


async def corrector(by: AuthenticatedClient) -> Client:
    """A dependency: the caller, who publishes. Raises Forbidden with what else can be done."""
    policy.require_corrector(by)
    return by


@router.post("/{number}/resend", status_code=201, responses={200: {"model": ResentBody}})
async def resend_dead_letter(
    number: Number,
    body: Resend,
    by: Annotated[Client, Depends(corrector)],
    context: Context,
    raw: RawBody,
    response: Response,
) -> ResentBody:
    """Publish the corrected event, for all who receive its type; the dead letter is then resent.

    It gets an id of its own, `causationid` with the id of the old event, and `corrects` with the
    old one's `sequence`. The same again is stored once (200); another correction is refused.
    """
    letter = await letter_of(number, by, context)
    data = strict_json.members(raw, nested="data").get("data")
    correction = Correction(None if data is None else bytes(data), body.attributes)
    found = await context.resender.resend(letter, correction, by)
    place = found.appended
    ACCEPTED.inc()
    log().info("dead_letter.resent", number=number, by=by.id, duplicate=place.duplicate)
    response.status_code = 200 if place.duplicate else 201
    response.headers["location"] = f"/v1/events/{place.shard}/{place.sequence}"
    return ResentBody(
        number=number,
        id=found.event.id,
        source=found.event.source,
        type=found.event.type,
        shard=place.shard,
        sequence=place.sequence,
        recordedtime=place.recorded,
        digest=place.digest.hex(),
        duplicate=place.duplicate,
    )
