"""`/v1/redrives`: sending many dead letters again, as jobs."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import AwareDatetime, BaseModel, Field

from gateway.base.errors import Conflict, Forbidden, NotFound
from gateway.base.telemetry import log
from gateway.contracts import Failure
from gateway.delivery.store import DeadLetterQuery, Redrive, RedriveState
from gateway.http.context import ApiContext, Context, require_role
from gateway.http.dead_letters import Name, Trace, Worker
from gateway.http.models import RequestBody
from gateway.http.paging import Page, Paging
from gateway.identity import Client, policy

router = APIRouter(prefix="/v1", tags=["dead letters"])
Viewer = Annotated[Client, Depends(require_role(*policy.SUBSCRIPTION_READERS))]


class NewRedrive(RequestBody):
    """Which dead letters to send again; what is not said is any. `rate` is events a second."""

    organisation: Name | None = Field(None, description="for the operator: whose")
    subscription: Name | None = None
    type: Name | None = None
    failure: Failure | None = None
    died_from: AwareDatetime | None = None
    died_before: AwareDatetime | None = None
    event: Name | None = Field(None, description="an event's id")
    source: Name | None = None
    trace: Trace | None = None
    rate: int = Field(50, ge=1, le=1000)


class RedriveBody(BaseModel):
    """A redrive of many and how far it has come; what failed stays dead."""

    id: str
    state: RedriveState
    rate: int
    total: int
    sent: int
    failed: int
    problem: str | None
    created: datetime
    created_by: str


@router.post("/redrives", status_code=202)
async def create_redrive(body: NewRedrive, by: Worker, context: Context) -> RedriveBody:
    """Send many again, at a rate; what dies after this moment is left out."""
    asked = body.model_dump(exclude={"organisation", "rate"})
    wanted = DeadLetterQuery(
        policy.redrivable_organisation(by), receiver=body.organisation, **asked
    )
    made = await context.redrives.start(wanted, rate=body.rate, by=by.id)
    log().info("redrive.started", redrive=made.id, by=by.id, total=made.total)
    return _redrive(made)


@router.get("/redrives")
async def list_redrives(by: Viewer, context: Context, page: Paging) -> Page[RedriveBody]:
    """The redrives of many."""
    found = await context.redrives.page(
        policy.visible_organisation(by), after=page.after, limit=page.limit + 1
    )
    items, following = page.cut(found, lambda redrive: redrive.id)
    return Page(items=[_redrive(each) for each in items], next=following)


@router.get("/redrives/{id}")
async def get_redrive(id: str, by: Viewer, context: Context) -> RedriveBody:
    """How far a redrive has come."""
    return _redrive(await _found(id, by, context))


@router.post("/redrives/{id}/cancel")
async def cancel_redrive(id: str, by: Worker, context: Context) -> RedriveBody:
    """Send no more. Raises 409 where it has finished."""
    found = await _found(id, by, context)
    if not policy.may_settle_dead_letter(by, found.organisation or ""):
        raise Forbidden("only an administrator of the operator may end this redrive")
    if found.state is RedriveState.FINISHED:
        raise Conflict("it has finished already")
    await context.redrives.cancel(id)
    log().info("redrive.cancelled", redrive=id, by=by.id)
    return _redrive(await _found(id, by, context))


async def _found(id: str, by: Client, context: ApiContext) -> Redrive:
    found = await context.redrives.find(id) if id.isascii() and len(id) < 64 else None
    if found is None or policy.visible_organisation(by) not in (None, found.organisation):
        raise NotFound("there is no such redrive that you may see")
    return found


def _redrive(redrive: Redrive) -> RedriveBody:
    return RedriveBody(**{name: getattr(redrive, name) for name in RedriveBody.model_fields})
