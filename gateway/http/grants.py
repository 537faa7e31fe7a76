"""`/v1/organisations/{name}/grants`: the rights of an organisation beyond its own types."""

from datetime import datetime

from fastapi import APIRouter, Response
from pydantic import Field

from gateway import identity
from gateway.base.database import Topic
from gateway.base.telemetry import log
from gateway.http.context import Admin, AuthenticatedClient, Context, took_effect
from gateway.http.models import RequestBody, Resource, example
from gateway.http.organisations import OrganisationName
from gateway.http.paging import Page, Paging
from gateway.http.problems import responses

router = APIRouter(prefix="/v1/organisations/{name}/grants", tags=["grants"])


class NewGrant(RequestBody):
    """A grant to create."""

    model_config = example(action="subscribe", type="id.go.dukcapil.*")

    action: identity.GrantAction
    type: str = Field(
        description="An event type, or a pattern: `*` for one word, at the end for all the rest.",
        examples=["id.go.dukcapil.*"],
        max_length=255,
    )


class Grant(Resource):
    """The right of an organisation to publish or receive types that others own."""

    id: str
    organisation: str
    action: identity.GrantAction
    type: str
    granted_by: str = Field(description="The id of the client that gave it.")
    created: datetime


@router.get("", responses=responses(403, 404, 422))
async def list_grants(
    name: OrganisationName, client: AuthenticatedClient, context: Context, page: Paging
) -> Page[Grant]:
    """The grants of an organisation. Other organisations see those for their own types."""
    found = await identity.list_grants(
        context.database, by=client, organisation=name, limit=page.limit + 1, after=page.after
    )
    items, following = page.cut(found, lambda each: each.id)
    return Page(items=[Grant.model_validate(each) for each in items], next=following)


@router.post("", status_code=201, responses=responses(403, 404, 409, body=True))
async def create_grant(
    name: OrganisationName, body: NewGrant, client: Admin, context: Context, response: Response
) -> Grant:
    """Permit an organisation to act on types of yours. The operator may grant any type."""
    created = await identity.create_grant(
        context.database,
        by=client,
        organisation=name,
        action=body.action,
        type=body.type,
        directory=context.directory,
    )
    await took_effect(context, Topic.IDENTITY)
    log().info(
        "grant.created",
        grant=created.id,
        organisation=name,
        action=created.action,
        type=created.type,
        by=client.id,
    )
    response.headers["Location"] = f"/v1/organisations/{name}/grants/{created.id}"
    return Grant.model_validate(created)


@router.delete("/{id}", status_code=204, responses=responses(403, 404))
async def delete_grant(name: OrganisationName, id: str, client: Admin, context: Context) -> None:
    """Take a grant back. Events that were delivered under it stay delivered."""
    await identity.remove_grant(context.database, by=client, organisation=name, id=id)
    await took_effect(context, Topic.IDENTITY)
    log().info("grant.removed", grant=id, organisation=name, by=client.id)
