"""`/v1/redrives`: redrives of many dead letters, as jobs."""

from typing import Annotated

from fastapi import APIRouter, Depends

from gateway.base.errors import Conflict, Forbidden, NotFound
from gateway.base.telemetry import log
from gateway.delivery import store
from gateway.delivery.store import DeadLetterQuery, RedriveState
from gateway.http.context import ApiContext, Context, require_role
from gateway.http.dead_letter_models import NewRedrive, Redrive
from gateway.http.dead_letters import Editor
from gateway.http.paging import Page, Paging
from gateway.http.problems import responses
from gateway.identity import Client, Quota, policy

router = APIRouter(prefix="/v1/redrives", tags=["dead letters"])
RedriveReader = Annotated[Client, Depends(require_role(*policy.SUBSCRIPTION_READERS))]


@router.post("", status_code=202, responses=responses(403, 409, body=True))
async def create_redrive(body: NewRedrive, client: Editor, context: Context) -> Redrive:
    """Redrive many dead letters, at a rate. Those that die after this call are left out."""
    asked = body.model_dump(exclude={"organisation", "rate"})
    query = DeadLetterQuery(
        policy.redrivable_organisation(client), receiver=body.organisation, **asked
    )
    limit = context.directory.quota(client.organisation, Quota.REDRIVES)
    started = await context.redrives.start(query, rate=body.rate, by=client, limit=limit)
    log().info("redrive.started", redrive=started.id, by=client.id, total=started.total)
    return Redrive.model_validate(started)


@router.get("", responses=responses(403, 422))
async def list_redrives(client: RedriveReader, context: Context, page: Paging) -> Page[Redrive]:
    """The redrives of your organisation. The operator sees all."""
    found = await context.redrives.page(
        policy.visible_organisation(client), after=page.after, limit=page.limit + 1
    )
    items, following = page.cut(found, lambda each: each.id)
    return Page(items=[Redrive.model_validate(each) for each in items], next=following)


@router.get("/{id}", responses=responses(403, 404))
async def get_redrive(id: str, client: RedriveReader, context: Context) -> Redrive:
    """One redrive, and how far it is."""
    return Redrive.model_validate(await _visible(id, client, context))


@router.post("/{id}/cancel", responses=responses(403, 404, 409))
async def cancel_redrive(id: str, client: Editor, context: Context) -> Redrive:
    """Send no more."""
    found = await _visible(id, client, context)
    if not policy.may_settle_dead_letter(client, found.organisation or ""):
        raise Forbidden("Only an administrator of the operator may cancel this redrive.")
    if found.state is RedriveState.FINISHED:
        raise Conflict("The redrive has finished.")
    await context.redrives.cancel(id)
    log().info("redrive.cancelled", redrive=id, by=client.id)
    return Redrive.model_validate(await _visible(id, client, context))


async def _visible(id: str, client: Client, context: ApiContext) -> store.Redrive:
    found = await context.redrives.find(id) if id.isascii() and id.isprintable() else None
    if found is None or policy.visible_organisation(client) not in (None, found.organisation):
        raise NotFound("No such redrive is visible to you.")
    return found
