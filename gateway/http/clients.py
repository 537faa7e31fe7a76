"""`/v1/clients`: the credentials of organisations."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from pydantic import Field

from gateway import identity
from gateway.base.database import Topic
from gateway.base.telemetry import log
from gateway.http.context import Admin, AdminOrAuditor, Context, took_effect
from gateway.http.models import RequestBody, Resource, Title, example
from gateway.http.paging import Page, Paging
from gateway.http.problems import responses

router = APIRouter(prefix="/v1/clients", tags=["clients"])
ClientId = Annotated[str, Path(examples=["dukcapil-x7k2m"])]
Roles = Annotated[set[identity.Role], Field(min_length=1)]


class NewClient(RequestBody):
    """A client to create."""

    model_config = example(
        organisation="dukcapil", title="Register, production", roles=["publisher", "subscriber"]
    )

    organisation: str = Field(max_length=80)
    title: Title
    roles: Roles


class ClientChanges(RequestBody):
    """Changes of a client. Members that are left out stay as they are."""

    model_config = example(roles=["subscriber"], state="active")

    title: Title | None = None
    roles: Roles | None = None
    state: identity.ClientState | None = None


class Client(Resource):
    """A set of credentials that belongs to an organisation, without its secrets."""

    id: str
    organisation: str
    title: str
    roles: list[identity.Role]
    state: identity.ClientState
    created: datetime

    @classmethod
    def of(cls, client: identity.Client) -> "Client":
        """The model of a value."""
        found = cls.model_validate(client)
        found.roles.sort()
        return found


class ClientSecret(Resource):
    """One of the secrets of a client, without the secret itself."""

    id: str
    created: datetime


class NewClientSecret(ClientSecret):
    """A new secret of a client."""

    secret: str = Field(description="Shown only here. Keep it.")


@router.post("", status_code=201, responses=responses(403, 409, body=True))
async def create_client(
    body: NewClient, client: Admin, context: Context, response: Response
) -> Client:
    """Create a client. It needs a secret before it can get an access token."""
    created = await identity.create_client(
        context.database,
        by=client,
        organisation=body.organisation,
        title=body.title,
        roles=body.roles,
        directory=context.directory,
    )
    await took_effect(context, Topic.IDENTITY)
    log().info("client.created", client=created.id, roles=sorted(created.roles), by=client.id)
    response.headers["Location"] = f"{router.prefix}/{created.id}"
    return Client.of(created)


@router.get("", responses=responses(403, 422))
async def list_clients(
    client: AdminOrAuditor,
    context: Context,
    page: Paging,
    organisation: Annotated[
        str | None, Query(max_length=80, description="Only the clients of this organisation.")
    ] = None,
) -> Page[Client]:
    """The clients of your organisation, by id. The operator sees the clients of all."""
    found = await identity.list_clients(
        context.database,
        by=client,
        organisation=organisation,
        limit=page.limit + 1,
        after=page.after,
    )
    items, following = page.cut(found, lambda each: each.id)
    return Page(items=[Client.of(each) for each in items], next=following)


@router.get("/{id}", responses=responses(403, 404))
async def get_client(id: ClientId, client: AdminOrAuditor, context: Context) -> Client:
    """One client."""
    return Client.of(await identity.find_client(context.database, by=client, id=id))


@router.patch("/{id}", responses=responses(403, 404, 409, body=True))
async def update_client(
    id: ClientId, body: ClientChanges, client: Admin, context: Context
) -> Client:
    """Rename a client, change its roles, disable or enable it. In force within a second.

    Clients are never deleted, because the journal names them: disable them.
    """
    changed = await identity.change_client(
        context.database,
        by=client,
        id=id,
        title=body.title,
        roles=body.roles,
        state=body.state,
        directory=context.directory,
    )
    await took_effect(context, Topic.IDENTITY)
    log().info(
        "client.changed",
        client=id,
        roles=sorted(changed.roles),
        state=changed.state,
        by=client.id,
    )
    return Client.of(changed)


@router.post("/{id}/secrets", status_code=201, responses=responses(403, 404, 409))
async def create_client_secret(
    id: ClientId, client: Admin, context: Context, response: Response
) -> NewClientSecret:
    """Create a secret; a client may have two. Deploy the new one, then delete the old one."""
    created, secret = await identity.add_secret(
        context.database, context.settings, by=client, client=id
    )
    await took_effect(context, Topic.IDENTITY)
    log().info("secret.created", client=id, secret=created.id, by=client.id)
    response.headers["Cache-Control"] = "no-store"
    return NewClientSecret(id=created.id, created=created.created, secret=secret.get_secret_value())


@router.get("/{id}/secrets", responses=responses(403, 404))
async def list_client_secrets(
    id: ClientId, client: AdminOrAuditor, context: Context
) -> Page[ClientSecret]:
    """The secrets of a client. Nobody can read the secrets themselves."""
    found = await identity.list_secrets(context.database, by=client, client=id)
    return Page(items=[ClientSecret.model_validate(each) for each in found], next=None)


@router.delete("/{id}/secrets/{secret}", status_code=204, responses=responses(403, 404))
async def delete_client_secret(id: ClientId, secret: str, client: Admin, context: Context) -> None:
    """Delete a secret. Every access token that it got is void within a second."""
    await identity.remove_secret(context.database, by=client, client=id, id=secret)
    await took_effect(context, Topic.IDENTITY)
    log().info("secret.removed", client=id, secret=secret, by=client.id)
