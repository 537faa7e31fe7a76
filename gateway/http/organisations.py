"""`/v1/organisations`: the organisations that take part."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Response
from pydantic import Field

from gateway import identity
from gateway.base.database import Topic
from gateway.base.telemetry import log
from gateway.http.context import AuthenticatedClient, Context, OperatorAdmin, took_effect
from gateway.http.models import Description, RequestBody, Resource, Title, example
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
    return Organisation.model_validate(created)


@router.get("", responses=responses(422))
async def list_organisations(
    client: AuthenticatedClient, context: Context, page: Paging
) -> Page[Organisation]:
    """Every organisation, by name."""
    found = await identity.list_organisations(
        context.database, limit=page.limit + 1, after=page.after
    )
    items, following = page.cut(found, lambda each: each.name)
    return Page(items=[Organisation.model_validate(each) for each in items], next=following)


@router.get("/{name}", responses=responses(404))
async def get_organisation(
    name: OrganisationName, client: AuthenticatedClient, context: Context
) -> Organisation:
    """One organisation."""
    return Organisation.model_validate(await identity.find_organisation(context.database, name))
