"""`/v1/signing-keys`: the keys that sign access tokens, for the operator."""

from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel

from gateway import identity
from gateway.base.database import Topic
from gateway.base.telemetry import log
from gateway.http.context import Admin, AdminOrAuditor, Context, took_effect
from gateway.http.paging import Page

router = APIRouter(prefix="/v1/signing-keys", tags=["signing keys"])


class SigningKeyBody(BaseModel):
    """A signing key, without its private part."""

    kid: str
    state: identity.KeyState
    created: datetime
    activated: datetime | None
    retired: datetime | None


@router.get("")
async def list_signing_keys(by: AdminOrAuditor, context: Context) -> Page[SigningKeyBody]:
    """Every key, the youngest first."""
    return _listing(await identity.list_signing_keys(context.database, by=by))


@router.post("", status_code=201)
async def rotate_signing_key(by: Admin, context: Context) -> Page[SigningKeyBody]:
    """Sign with the next key from now on, and publish another one ahead."""
    await identity.rotate(context.database, context.settings, by=by)
    await took_effect(context, Topic.IDENTITY)
    keys = await identity.list_signing_keys(context.database, by=by)
    log().info("signing_key.rotated", keys=[f"{key.kid} {key.state}" for key in keys], by=by.id)
    return _listing(keys)


@router.delete("/{kid}", status_code=204)
async def withdraw_signing_key(kid: str, by: Admin, context: Context) -> None:
    """Refuse every token of a retired key from now on, as after a leak."""
    await identity.withdraw(context.database, kid, by=by)
    await took_effect(context, Topic.IDENTITY)
    log().info("signing_key.withdrawn", key=kid, by=by.id)


def _listing(keys: tuple[identity.SigningKey, ...]) -> Page[SigningKeyBody]:
    items = [
        SigningKeyBody(
            kid=key.kid,
            state=key.state,
            created=key.created,
            activated=key.activated,
            retired=key.retired,
        )
        for key in keys
    ]
    return Page(items=items, next=None)
