"""`/v1/organisations`: the organisations that take part."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Response
from pydantic import Field

from gateway import identity
from gateway.base.database import Topic
from gateway.base.telemetry import log
from gateway.http.context import AuthenticatedClient, Context, OperatorAdmin, took_effect
from gateway.http.models import Description, Reason, RequestBody, Resource, Title, example
from gateway.http.paging import Page, Paging
from gateway.http.problems import responses

router = APIRouter(prefix="/v1/organisations", tags=["organisations"])
OrganisationName = Annotated[str, Path(examples=["dukcapil"])]


class NewOrganisation(RequestBody):
    """An organisation to create."""

    model_config = example(
        name="dukcapil",
        title="Direktorat Jenderal Kependudukan dan Pencatatan Sipil",
        description="The population register.",
    )

    name: Annotated[str, Field(pattern=identity.ORGANISATION_NAME, examples=["dukcapil"])]
    title: Title
    description: Description = ""


class Organisation(Resource):
    """An organisation. It owns the types under `id.go.<name>` and the sources under `/<name>`."""

    name: str
    title: str
    description: str
    operator: bool = Field(description="Whether it runs the bus.")
    created: datetime
    suspended: datetime | None = Field(
        description="Since when its clients are refused and nothing is delivered to it."
    )
    suspension_reason: str | None = Field(description="Shown to the operator alone.")

    @classmethod
    def of(cls, organisation: identity.Organisation, client: identity.Client) -> "Organisation":
        """The model of a value, as a client may see it."""
        found = cls.model_validate(organisation)
        if not client.operator:
            found.suspension_reason = None
        return found


class Suspension(RequestBody):
    """Why an organisation is suspended. Its clients read the reason when they are refused."""

    model_config = example(reason="Pasca insiden 17/2026: kredensial bocor.")

    reason: Annotated[Reason, Field(min_length=1)]


@router.post("", status_code=201, responses=responses(403, 409, body=True))
async def create_organisation(
    body: NewOrganisation, client: OperatorAdmin, context: Context, response: Response
) -> Organisation:
    """Let an organisation take part. For administrators of the operator."""
    created = await identity.create_organisation(
        context.database, by=client, name=body.name, title=body.title, description=body.description
    )
    await took_effect(context, Topic.IDENTITY)
    log().info("organisation.created", organisation=created.name, by=client.id)
    response.headers["Location"] = f"{router.prefix}/{created.name}"
    return Organisation.of(created, client)


@router.get("", responses=responses(422))
async def list_organisations(
    client: AuthenticatedClient, context: Context, page: Paging
) -> Page[Organisation]:
    """Every organisation, by name."""
    found = await identity.list_organisations(
        context.database, limit=page.limit + 1, after=page.after
    )
    items, following = page.cut(found, lambda each: each.name)
    return Page(items=[Organisation.of(each, client) for each in items], next=following)


@router.get("/{name}", responses=responses(404))
async def get_organisation(
    name: OrganisationName, client: AuthenticatedClient, context: Context
) -> Organisation:
    """One organisation."""
    found = await identity.find_organisation(context.database, name)
    return Organisation.of(found, client)


@router.post("/{name}/suspend", responses=responses(403, 404, 409, body=True))
async def suspend_organisation(
    name: OrganisationName, body: Suspension, client: OperatorAdmin, context: Context
) -> Organisation:
    """Refuse the clients of an organisation and stop its deliveries, everywhere within a second.

    Nothing is lost: what it would receive waits, and its grants and subscriptions stay. For
    administrators of the operator. May be repeated.
    """
    found, changed = await identity.suspend_organisation(
        context.database, by=client, name=name, reason=body.reason
    )
    await took_effect(context, Topic.IDENTITY)
    if changed:
        log().warning("organisation.suspended", organisation=name, by=client.id)
    return Organisation.of(found, client)


@router.post("/{name}/resume", responses=responses(403, 404))
async def resume_organisation(
    name: OrganisationName, client: OperatorAdmin, context: Context
) -> Organisation:
    """End a suspension. For administrators of the operator. May be repeated."""
    found, changed = await identity.resume_organisation(context.database, by=client, name=name)
    await took_effect(context, Topic.IDENTITY)
    if changed:
        log().warning("organisation.resumed", organisation=name, by=client.id)
    return Organisation.of(found, client)
