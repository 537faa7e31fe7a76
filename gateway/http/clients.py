"""`/v1/clients`: the credentials of organisations."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from gateway import identity
from gateway.base.database import Topic
from gateway.base.telemetry import log
from gateway.http.context import Admin, AdminOrAuditor, Context, took_effect
from gateway.http.models import RequestBody, Title
from gateway.http.paging import Page, Paging

router = APIRouter(prefix="/v1/clients", tags=["clients"])

Roles = Annotated[set[identity.Role], Field(min_length=1)]


class NewClient(RequestBody):
    """A client to be."""

    organisation: str
    title: Title
    roles: Roles


class ClientChange(RequestBody):
    """What is given changes, what is left out stays."""

    title: Title | None = None
    roles: Roles | None = None
    state: identity.ClientState | None = None


class ClientBody(BaseModel):
    """A client, without its secrets."""

    id: str
    organisation: str
    title: str
    roles: list[identity.Role]
    state: identity.ClientState
    created: datetime

    @classmethod
    def of(cls, client: identity.Client) -> "ClientBody":
        """The body for a value."""
        return cls(
            id=client.id,
            organisation=client.organisation,
            title=client.title,
            roles=sorted(client.roles),
            state=client.state,
            created=client.created,
        )


class SecretBody(BaseModel):
    """One of a client's secrets: which, and since when."""

    id: str
    created: datetime


class NewSecretBody(SecretBody):
    """A secret, this once."""

    secret: str = Field(description="shown only here: keep it")


@router.post("", status_code=201)
async def create_client(
    body: NewClient, by: Admin, context: Context, response: Response
) -> ClientBody:
    """Make a client. It cannot get a token before it has a secret."""
    made = await identity.create_client(
        context.database, by=by, organisation=body.organisation, title=body.title, roles=body.roles
    )
    await took_effect(context, Topic.IDENTITY)
    log().info("client.created", client=made.id, roles=sorted(made.roles), by=by.id)
    response.headers["Location"] = f"{router.prefix}/{made.id}"
    return ClientBody.of(made)


@router.get("")
async def list_clients(
    by: AdminOrAuditor,
    context: Context,
    page: Paging,
    organisation: Annotated[str | None, Query(description="of this one only")] = None,
) -> Page[ClientBody]:
    """The clients of your organisation, by id; to the operator, of all."""
    found = await identity.list_clients(
        context.database, by=by, organisation=organisation, limit=page.limit + 1, after=page.after
    )
    items, following = page.cut(found, lambda client: client.id)
    return Page(items=[ClientBody.of(item) for item in items], next=following)


@router.get("/{id}")
async def get_client(id: str, by: AdminOrAuditor, context: Context) -> ClientBody:
    """One client."""
    return ClientBody.of(await identity.find_client(context.database, by=by, id=id))


@router.patch("/{id}")
async def update_client(id: str, body: ClientChange, by: Admin, context: Context) -> ClientBody:
    """Rename a client, change its roles, disable or enable it: in force within a second."""
    changed = await identity.change_client(
        context.database, by=by, id=id, title=body.title, roles=body.roles, state=body.state
    )
    await took_effect(context, Topic.IDENTITY)
    log().info(
        "client.changed",
        client=id,
        roles=sorted(changed.roles),
        state=changed.state,
        by=by.id,
    )
    return ClientBody.of(changed)


@router.post("/{id}/secrets", status_code=201)
async def create_client_secret(
    id: str, by: Admin, context: Context, response: Response
) -> NewSecretBody:
    """One more secret, up to two: deploy the new one, then delete the old one."""
    made, secret = await identity.add_secret(context.database, context.settings, by=by, client=id)
    log().info("secret.created", client=id, secret=made.id, by=by.id)
    response.headers["Cache-Control"] = "no-store"
    return NewSecretBody(id=made.id, created=made.created, secret=secret.get_secret_value())


@router.get("/{id}/secrets")
async def list_client_secrets(id: str, by: AdminOrAuditor, context: Context) -> Page[SecretBody]:
    """Which secrets a client has; the secrets themselves nobody can read."""
    found = await identity.list_secrets(context.database, by=by, client=id)
    items = [SecretBody(id=secret.id, created=secret.created) for secret in found]
    return Page(items=items, next=None)


@router.delete("/{id}/secrets/{secret}", status_code=204)
async def delete_client_secret(id: str, secret: str, by: Admin, context: Context) -> None:
    """No new token for this secret; tokens that it has got run out by themselves."""
    await identity.remove_secret(context.database, by=by, client=id, id=secret)
    log().info("secret.removed", client=id, secret=secret, by=by.id)
