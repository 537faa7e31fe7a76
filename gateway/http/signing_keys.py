"""`/v1/signing-keys`: the keys that sign access tokens, for the operator."""

from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel

from gateway import identity
from gateway.base.telemetry import log
from gateway.http.deps import Admin, PartsHere, Reader, took_effect
from gateway.http.paging import Listing

router = APIRouter(prefix="/v1/signing-keys", tags=["signing keys"])


class SigningKeyBody(BaseModel):
    """A signing key, without its private part."""

    kid: str
    state: identity.KeyState
    created: datetime
    activated: datetime | None
    retired: datetime | None


@router.get("")
async def list_all(by: Reader, parts: PartsHere) -> Listing[SigningKeyBody]:
    """Every key, the youngest first."""
    return _listing(await identity.list_signing_keys(parts.database, by=by))


@router.post("", status_code=201)
async def rotate(by: Admin, parts: PartsHere) -> Listing[SigningKeyBody]:
    """Sign with the next key from now on, and publish another one ahead."""
    await identity.rotate(parts.database, parts.settings, by=by)
    await took_effect(parts)
    keys = await identity.list_signing_keys(parts.database, by=by)
    log().info("signing_key.rotated", keys=[f"{key.kid} {key.state}" for key in keys], by=by.id)
    return _listing(keys)


@router.delete("/{kid}", status_code=204)
async def withdraw(kid: str, by: Admin, parts: PartsHere) -> None:
    """Refuse every token of a retired key from now on, as after a leak."""
    await identity.withdraw(parts.database, kid, by=by)
    await took_effect(parts)
    log().info("signing_key.withdrawn", key=kid, by=by.id)


def _listing(keys: tuple[identity.SigningKey, ...]) -> Listing[SigningKeyBody]:
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
    return Listing(items=items, next=None)
