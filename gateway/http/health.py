"""`/health` and `/metrics`: for the platform and its operators."""

from collections import Counter
from collections.abc import Iterable

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, Gauge, generate_latest

from gateway.http.parts import ApiPartsHere
from gateway.subscriptions import State, Subscription
from gateway.telemetry import METRICS

router = APIRouter(tags=["health"])
BACKLOG = Gauge("nusabus_backlog_entries", "Entries not relayed yet", registry=METRICS)
SUBSCRIPTIONS = Gauge(
    "nusabus_subscriptions",
    "Subscriptions by state; diverted are those whose queue is too deep to get more",
    ["state"],
    registry=METRICS,
)


@router.get("/health/live")
async def live() -> dict[str, str]:
    """The event loop turns: nothing more is asked, so that an outage elsewhere restarts nobody."""
    return {"status": "live"}


@router.get("/health/ready")
async def ready(parts: ApiPartsHere) -> dict[str, str | int]:
    """Events can be accepted: the journal can be written and the backlog is below its limit.

    RabbitMQ may be away: intake goes on without it.
    """
    await parts.require_ready()
    return {"status": "ready", "backlog": parts.intake.backlog}


@router.get("/metrics")
async def metrics(parts: ApiPartsHere) -> Response:
    """This process's metrics, for Prometheus."""
    BACKLOG.set(parts.intake.backlog)
    _count(parts.subscriptions.value.all)
    return Response(generate_latest(METRICS), media_type=CONTENT_TYPE_LATEST)


def _count(subscriptions: Iterable[Subscription]) -> None:
    found = Counter("diverted" if each.diverted else each.state.value for each in subscriptions)
    for state in (*(each.value for each in State), "diverted"):
        SUBSCRIPTIONS.labels(state).set(found[state])
