"""`/health` and `/metrics`: for the platform and its operators."""

import hmac
from collections import Counter
from collections.abc import Iterable

from fastapi import APIRouter, Depends, Request, Response
from fastapi.security import HTTPBearer
from prometheus_client import CONTENT_TYPE_LATEST, Gauge, generate_latest

from gateway.base.errors import NotAuthenticated
from gateway.base.telemetry import METRICS
from gateway.http.context import Context, bearer
from gateway.subscriptions import Subscription, SubscriptionState

router = APIRouter(tags=["health"])
BACKLOG = Gauge("nusabus_backlog_entries", "Entries not relayed yet", registry=METRICS)
SUBSCRIPTIONS = Gauge(
    "nusabus_subscriptions",
    "Subscriptions by state; diverted are those whose queue is too deep to get more",
    ["state"],
    registry=METRICS,
)
_BEARER = HTTPBearer(auto_error=False, scheme_name="Metrics", description="the metrics token")


def require_scraper(context: Context, request: Request) -> None:
    """A dependency: whoever holds the operator's token for metrics. Raises NotAuthenticated.

    A token of its own, because an access token could not be had while PostgreSQL is away.
    """
    token = context.settings.metrics_token
    if token is None:
        raise NotAuthenticated("the operator has not set NUSABUS_METRICS_TOKEN")
    said = bearer(request.headers.get("authorization"))
    if not hmac.compare_digest(said.encode(), token.get_secret_value().encode()):
        raise NotAuthenticated("send the metrics token as Authorization: Bearer")


@router.get("/health/live")
async def get_liveness() -> dict[str, str]:
    """The event loop turns: nothing more is asked, so that an outage elsewhere restarts nobody."""
    return {"status": "live"}


@router.get("/health/ready")
async def get_readiness(context: Context) -> dict[str, str | int]:
    """Events can be accepted: the journal can be written and the backlog is below its limit.

    RabbitMQ may be away: events are accepted without it.
    """
    await context.require_ready()
    return {"status": "ready", "backlog": context.publisher.backlog}


@router.get("/metrics", dependencies=[Depends(require_scraper), Depends(_BEARER)])
async def get_metrics(context: Context) -> Response:
    """This process's metrics, for Prometheus."""
    BACKLOG.set(context.publisher.backlog)
    _count(context.subscriptions.value.all)
    return Response(generate_latest(METRICS), media_type=CONTENT_TYPE_LATEST)


def _count(subscriptions: Iterable[Subscription]) -> None:
    found = Counter("diverted" if each.diverted else each.state.value for each in subscriptions)
    for state in (*(each.value for each in SubscriptionState), "diverted"):
        SUBSCRIPTIONS.labels(state).set(found[state])
