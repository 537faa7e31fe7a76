"""The FastAPI application: every route of the gateway."""

from typing import Any

from fastapi import FastAPI
from starlette.routing import Route

from gateway import __version__
from gateway.http import (
    clients,
    events,
    grants,
    health,
    organisations,
    problems,
    publish_openapi,
    refusals,
    signing_keys,
    subscriptions,
    tokens,
)
from gateway.http.limits import BodyLimit
from gateway.http.parts import ApiParts
from gateway.http.publish import Publish
from gateway.intake import Limits

PUBLISH = "/v1/events"


def make_app(parts: ApiParts) -> FastAPI:
    """The application over the parts of a process."""
    app = FastAPI(
        title="Nusabus",
        version=__version__,
        summary="A national event bus: accept, store and route events between ministries.",
        docs_url="/docs",
        redoc_url=None,
    )
    app.state.parts = parts
    problems.install(app)
    limits = Limits(
        parts.settings.event_limit, parts.settings.batch_limit, parts.settings.batch_events
    )
    app.router.routes.insert(0, Route(PUBLISH, Publish(parts, limits), methods=["POST"]))
    for module in (
        events,
        subscriptions,
        refusals,
        organisations,
        grants,
        clients,
        signing_keys,
        tokens,
        health,
    ):
        app.include_router(module.router)
    app.add_middleware(BodyLimit, beside=PUBLISH)
    _describe_publish(app)
    return app


def _describe_publish(app: FastAPI) -> None:
    made = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = publish_openapi.describe(made())
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend it
