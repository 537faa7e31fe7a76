"""`/health` and `/metrics`: for the platform and its operators."""

import hmac
from collections import Counter
from collections.abc import Iterable
from typing import Literal

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import PlainTextResponse
from fastapi.security import HTTPBearer
from prometheus_client import CONTENT_TYPE_LATEST, Gauge, generate_latest
from pydantic import BaseModel, Field, SecretStr

from gateway.base.errors import NotAuthenticated
from gateway.base.telemetry import METRICS
from gateway.http.context import Context, bearer
from gateway.http.problems import documented
from gateway.subscriptions import Subscription, SubscriptionState

router = APIRouter(tags=["health"])
BACKLOG = Gauge("nusabus_backlog_entries", "Entries that are not yet relayed", registry=METRICS)
SUBSCRIPTIONS = Gauge(
    "nusabus_subscriptions",
    "Subscriptions by state; diverted: the queue is too deep; unavailable: it cannot work",
    ["state"],
    registry=METRICS,
)
_BEARER = HTTPBearer(auto_error=False, scheme_name="metricsToken", description="The metrics token.")


def require_scraper(context: Context, request: Request) -> None:
    """A dependency: the request has the metrics token. Raises NotAuthenticated."""
    check_scraper(context.settings.metrics_token, request.headers.get("authorization"))


def check_scraper(token: SecretStr | None, authorization: str | None) -> None:
    """Raises NotAuthenticated unless an `Authorization` header has the metrics token.

    It is a token of its own, because no access token is issued while PostgreSQL is away.
    """
    if token is None:
        raise NotAuthenticated("The endpoint is disabled. Set NUSABUS_METRICS_TOKEN to enable it.")
    said = bearer(authorization)
    if not hmac.compare_digest(said.encode(), token.get_secret_value().encode()):
        raise NotAuthenticated("Send the metrics token as `Authorization: Bearer <token>`.")


class Liveness(BaseModel):
    """The process serves requests."""

    status: Literal["live"] = "live"


class Readiness(BaseModel):
    """The gateway accepts events."""

    status: Literal["ready"] = "ready"
    backlog: int = Field(description="Entries that are not yet relayed.")


@router.get("/health/live", responses={500: documented(500)})
async def get_liveness() -> Liveness:
    """Liveness: the event loop runs. An outage elsewhere restarts no process."""
    return Liveness()


@router.get("/health/ready", responses={500: documented(500), 503: documented(503)})
async def get_readiness(context: Context) -> Readiness:
    """Readiness: the journal can be written, and the backlog is below its limit.

    RabbitMQ may be away: the gateway accepts events without it.
    """
    await context.require_ready()
    return Readiness(backlog=context.publisher.backlog)


@router.get(
    "/metrics",
    dependencies=[Depends(require_scraper), Depends(_BEARER)],
    response_class=PlainTextResponse,
    responses={401: documented(401), 500: documented(500)},
)
async def get_metrics(context: Context) -> Response:
    """The metrics of this process, for Prometheus."""
    BACKLOG.set(context.publisher.backlog)
    _count(context.subscriptions.value.all)
    return Response(generate_latest(METRICS), media_type=CONTENT_TYPE_LATEST)


def _count(subscriptions: Iterable[Subscription]) -> None:
    found = Counter(map(_shown_state, subscriptions))
    for state in (*(each.value for each in SubscriptionState), "diverted", "unavailable"):
        SUBSCRIPTIONS.labels(state).set(found[state])


def _shown_state(subscription: Subscription) -> str:
    if subscription.unavailable:
        return "unavailable"
    return "diverted" if subscription.diverted else subscription.state.value
