"""`/v1/subscriptions/{name}/secrets`: what verifies the deliveries of a webhook."""

from fastapi import APIRouter
from pydantic import BaseModel, Field

from gateway.base.telemetry import log
from gateway.http.context import Context
from gateway.http.models import RequestBody
from gateway.http.subscriptions import Name, Subscriber

router = APIRouter(prefix="/v1/subscriptions", tags=["webhooks"])
DAY = 86_400.0


class Rotation(RequestBody):
    """How to change over."""

    overlap_seconds: float = Field(
        DAY, ge=0, le=30 * DAY, description="for how long the present secret signs as well"
    )


class Secret(BaseModel):
    """What verifies signatures from now on: `whsec_...`, shown once, or the public `whpk_...`."""

    secret: str


@router.post("/{name}/secrets", status_code=201)
async def rotate_webhook_secret(
    name: Name, by: Subscriber, context: Context, body: Rotation | None = None
) -> Secret:
    """A new secret. The one before it signs beside it for a while; older ones end at once."""
    subscription = await context.subscription_lifecycle.existing(by.organisation, name)
    overlap = (body or Rotation()).overlap_seconds  # type: ignore[call-arg]  # pydantic's defaults
    secret = await context.endpoints.rotate_signing_key(subscription, overlap=overlap)
    log().info("webhook_key.rotated", organisation=by.organisation, subscription=name, by=by.id)
    return Secret(secret=secret)
