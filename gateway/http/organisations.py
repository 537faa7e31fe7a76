"""`/v1/organisations`: who takes part."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from gateway import identity
from gateway.base.database import Topic
from gateway.base.telemetry import log
from gateway.http.context import AuthenticatedClient, Context, OperatorAdmin, took_effect
from gateway.http.models import Description, RequestBody, Title
from gateway.http.paging import Page, Paging

router = APIRouter(prefix="/v1/organisations", tags=["organisations"])


class NewOrganisation(RequestBody):
    """An organisation to be."""

    name: Annotated[str, Field(pattern=identity.ORGANISATION_NAME, examples=["dukcapil"])]
    title: Title
    description: Description = ""


class OrganisationBody(BaseModel):
    """An organisation. Its event types start with `id.go.<name>.`"""

    name: str
    title: str
    description: str
    operator: bool = Field(description="whether it runs the bus")
    created: datetime

    @classmethod
    def of(cls, organisation: identity.Organisation) -> "OrganisationBody":
        """The body for a value."""
        return cls(
            name=organisation.name,
            title=organisation.title,
            description=organisation.description,
            operator=organisation.operator,
            created=organisation.created,
        )


@router.post("", status_code=201)
async def create_organisation(
    body: NewOrganisation, by: OperatorAdmin, context: Context, response: Response
) -> OrganisationBody:
    """Let an organisation take part. For administrators of the operator."""
    made = await identity.create_organisation(
        context.database, by=by, name=body.name, title=body.title, description=body.description
    )
    await took_effect(context, Topic.IDENTITY)
    log().info("organisation.created", organisation=made.name, by=by.id)
    response.headers["Location"] = f"{router.prefix}/{made.name}"
    return OrganisationBody.of(made)


@router.get("")
async def list_organisations(
    by: AuthenticatedClient, context: Context, page: Paging
) -> Page[OrganisationBody]:
    """Every organisation, by name."""
    found = await identity.list_organisations(
        context.database, limit=page.limit + 1, after=page.after
    )
    items, following = page.cut(found, lambda organisation: organisation.name)
    return Page(items=[OrganisationBody.of(item) for item in items], next=following)


@router.get("/{name}")
async def get_organisation(
    name: str, by: AuthenticatedClient, context: Context
) -> OrganisationBody:
    """One organisation."""
    return OrganisationBody.of(await identity.find_organisation(context.database, name))
