"""`/v1/organisations/{name}/grants`: what an organisation may do beyond its own types."""

from datetime import datetime

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from gateway import identity
from gateway.base.telemetry import log
from gateway.http.deps import Admin, Caller, PartsHere, took_effect
from gateway.http.fields import Body
from gateway.http.paging import Listing, PageHere

router = APIRouter(prefix="/v1/organisations/{name}/grants", tags=["grants"])


class NewGrant(Body):
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
async def list_all(name: str, by: Caller, parts: PartsHere, page: PageHere) -> Listing[GrantBody]:
    """What this organisation was granted; to others only what concerns their own types."""
    found = await identity.list_grants(
        parts.database, by=by, organisation=name, limit=page.limit + 1, after=page.after
    )
    items, following = page.cut(found, lambda grant: grant.id)
    return Listing(items=[GrantBody.of(item) for item in items], next=following)


@router.post("", status_code=201)
async def create(
    name: str, body: NewGrant, by: Admin, parts: PartsHere, response: Response
) -> GrantBody:
    """Permit this organisation to act on types of yours; the operator may grant any."""
    made = await identity.create_grant(
        parts.database, by=by, organisation=name, action=body.action, type=body.type
    )
    await took_effect(parts)
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
async def remove(name: str, id: str, by: Admin, parts: PartsHere) -> None:
    """Take a grant back. What was delivered under it stays delivered."""
    await identity.remove_grant(parts.database, by=by, organisation=name, id=id)
    await took_effect(parts)
    log().info("grant.removed", grant=id, organisation=name, by=by.id)
