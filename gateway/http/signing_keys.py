"""`/v1/signing-keys`: the keys that sign access tokens, for the operator."""

from datetime import datetime

from fastapi import APIRouter

from gateway import identity
from gateway.base.database import Topic
from gateway.base.telemetry import log
from gateway.http.context import Admin, AdminOrAuditor, Context, took_effect
from gateway.http.models import Resource
from gateway.http.paging import Page
from gateway.http.problems import responses

router = APIRouter(prefix="/v1/signing-keys", tags=["signing keys"])


class SigningKey(Resource):
    """A signing key, without its private part."""

    kid: str
    state: identity.KeyState
    created: datetime
    activated: datetime | None
    retired: datetime | None


@router.get("", responses=responses(403))
async def list_signing_keys(client: AdminOrAuditor, context: Context) -> Page[SigningKey]:
    """Every key, the youngest first."""
    return _page(await identity.list_signing_keys(context.database, by=client))


@router.post("", status_code=201, responses=responses(403, 409))
async def rotate_signing_key(client: Admin, context: Context) -> Page[SigningKey]:
    """Sign with the next key from now on, and publish another one ahead."""
    await identity.rotate_signing_keys(context.database, context.settings, by=client)
    await took_effect(context, Topic.IDENTITY)
    keys = await identity.list_signing_keys(context.database, by=client)
    states = [f"{key.kid} {key.state}" for key in keys]
    log().info("signing_key.rotated", keys=states, by=client.id)
    return _page(keys)


@router.delete("/{kid}", status_code=204, responses=responses(403, 404, 409))
async def withdraw_signing_key(kid: str, client: Admin, context: Context) -> None:
    """Refuse every token of a retired key from now on, for example after a leak."""
    await identity.withdraw_signing_key(context.database, kid, by=client)
    await took_effect(context, Topic.IDENTITY)
    log().info("signing_key.withdrawn", key=kid, by=client.id)


def _page(keys: tuple[identity.SigningKey, ...]) -> Page[SigningKey]:
    return Page(items=[SigningKey.model_validate(key) for key in keys], next=None)
