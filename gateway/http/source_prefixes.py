"""`/v1/organisations/{name}/sources`: the sources that an organisation owns."""

from datetime import datetime

from fastapi import APIRouter, Response
from pydantic import Field

from gateway import identity
from gateway.base.database import Topic
from gateway.base.telemetry import log
from gateway.http.context import AuthenticatedClient, Context, OperatorAdmin, took_effect
from gateway.http.models import RequestBody, Resource, example
from gateway.http.organisations import OrganisationName
from gateway.http.paging import Page, Paging
from gateway.http.problems import responses

router = APIRouter(prefix="/v1/organisations/{name}/sources", tags=["sources"])
_PREFIX = "https://dapodik.kemendikbud.go.id/"


class NewSourcePrefix(RequestBody):
    """A prefix to assign."""

    model_config = example(prefix=_PREFIX)

    prefix: str = Field(
        description="A URI with a host, a URN with its namespace, or an absolute path.",
        examples=[_PREFIX],
        max_length=255,
    )


class SourcePrefix(Resource):
    """The organisation alone publishes events whose `source` is this prefix or lies under it."""

    id: str
    organisation: str
    prefix: str = Field(description="In normal form (RFC 3986), with the delimiter at its end.")
    assigned_by: str | None = Field(
        description="The id of the client that assigned it; null for the prefix of its name."
    )
    created: datetime


@router.get("", responses=responses(403, 404, 422))
async def list_source_prefixes(
    name: OrganisationName, client: AuthenticatedClient, context: Context, page: Paging
) -> Page[SourcePrefix]:
    """The source prefixes of an organisation. For its clients and the operator's."""
    found = await identity.list_source_prefixes(
        context.database, by=client, organisation=name, limit=page.limit + 1, after=page.after
    )
    items, following = page.cut(found, lambda each: each.id)
    return Page(items=[SourcePrefix.model_validate(each) for each in items], next=following)


@router.post("", status_code=201, responses=responses(403, 404, 409, body=True))
async def assign_source_prefix(
    name: OrganisationName,
    body: NewSourcePrefix,
    client: OperatorAdmin,
    context: Context,
    response: Response,
) -> SourcePrefix:
    """Assign a prefix to an organisation. For administrators of the operator.

    It may not overlap a prefix of another organisation. Narrower ones of the same organisation are
    replaced by it.
    """
    assigned = await identity.assign_source_prefix(
        context.database, by=client, organisation=name, prefix=body.prefix
    )
    await took_effect(context, Topic.IDENTITY)
    log().info("source_prefix.assigned", prefix=assigned.prefix, organisation=name, by=client.id)
    response.headers["Location"] = f"/v1/organisations/{name}/sources/{assigned.id}"
    return SourcePrefix.model_validate(assigned)


@router.delete("/{id}", status_code=204, responses=responses(403, 404, 409))
async def withdraw_source_prefix(
    name: OrganisationName, id: str, client: OperatorAdmin, context: Context
) -> None:
    """Take a prefix back. Events that were published under it stay."""
    await identity.withdraw_source_prefix(context.database, by=client, organisation=name, id=id)
    await took_effect(context, Topic.IDENTITY)
    log().info("source_prefix.withdrawn", id=id, organisation=name, by=client.id)
