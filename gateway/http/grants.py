"""`/v1/organisations/{name}/grants`: what an organisation may do beyond its own types."""

from datetime import datetime

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from gateway import identity
from gateway.base.database import Topic
from gateway.base.telemetry import log
from gateway.http.context import Admin, AuthenticatedClient, Context, took_effect
from gateway.http.models import RequestBody
from gateway.http.paging import Page, Paging

router = APIRouter(prefix="/v1/organisations/{name}/grants", tags=["grants"])


class NewGrant(RequestBody):
    """A grant to be."""

    action: identity.Action
    type: str = Field(
        description="an event type, or a pattern: `*` for one word, at the end for all the rest",
        examples=["id.go.dukcapil.*"],
        max_length=255,
    )


class GrantBody(BaseModel):
    """A grant."""

    id: str
    organisation: str
    action: identity.Action
    type: str
    granted_by: str = Field(description="the id of the client that gave it")
    created: datetime

    @classmethod
    def of(cls, grant: identity.Grant) -> "GrantBody":
        """The body for a value."""
        return cls(
            id=grant.id,
            organisation=grant.organisation,
            action=grant.action,
            type=grant.type,
            granted_by=grant.granted_by,
            created=grant.created,
        )


@router.get("")
async def list_grants(
    name: str, by: AuthenticatedClient, context: Context, page: Paging
) -> Page[GrantBody]:
    """What this organisation was granted; to others only what concerns their own types."""
    found = await identity.list_grants(
        context.database, by=by, organisation=name, limit=page.limit + 1, after=page.after
    )
    items, following = page.cut(found, lambda grant: grant.id)
    return Page(items=[GrantBody.of(item) for item in items], next=following)


@router.post("", status_code=201)
async def create_grant(
    name: str, body: NewGrant, by: Admin, context: Context, response: Response
) -> GrantBody:
    """Permit this organisation to act on types of yours; the operator may grant any."""
    made = await identity.create_grant(
        context.database, by=by, organisation=name, action=body.action, type=body.type
    )
    await took_effect(context, Topic.IDENTITY)
    log().info(
        "grant.created",
        grant=made.id,
        organisation=name,
        action=made.action,
        type=made.type,
        by=by.id,
    )
    response.headers["Location"] = f"/v1/organisations/{name}/grants/{made.id}"
    return GrantBody.of(made)


@router.delete("/{id}", status_code=204)
async def delete_grant(name: str, id: str, by: Admin, context: Context) -> None:
    """Take a grant back. What was delivered under it stays delivered."""
    await identity.remove_grant(context.database, by=by, organisation=name, id=id)
    await took_effect(context, Topic.IDENTITY)
    log().info("grant.removed", grant=id, organisation=name, by=by.id)
