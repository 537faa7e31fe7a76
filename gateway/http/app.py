"""The FastAPI application: every route of the gateway."""

from typing import Any

from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from gateway import __version__
from gateway.errors import NusabusError
from gateway.http import (
    clients,
    events,
    grants,
    health,
    organisations,
    problems,
    publish_openapi,
    pull,
    refusals,
    signing_keys,
    subscriptions,
    tokens,
)
from gateway.http.body import read, replayed
from gateway.http.parts import ApiParts
from gateway.http.publish import Publish
from gateway.intake import Limits

PUBLISH = "/v1/events"
BODILESS = {"GET", "HEAD", "OPTIONS"}
BODY_LIMIT = 64 << 10  # bytes; publishing has limits of its own


class Application(FastAPI):
    """FastAPI, with publishing beside its middleware and router, which cost more than the work."""

    publish: Publish

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http" and scope["path"] == PUBLISH and scope["method"] == "POST":
            await self.publish(scope, receive, send)
        elif scope["type"] == "http" and scope["method"] not in BODILESS:
            try:
                body = await read(scope["headers"], receive, BODY_LIMIT)
            except NusabusError as refusal:
                await problems.response(refusal)(scope, receive, send)
            else:
                await super().__call__(scope, replayed(body, receive), send)
        else:
            await super().__call__(scope, receive, send)


def make_app(parts: ApiParts) -> Application:
    """The application over the parts of a process."""
    app = Application(
        title="Nusabus",
        version=__version__,
        summary="A national event bus: accept, store and route events between ministries.",
        docs_url="/docs",
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.parts = parts
    problems.install(app)
    limits = Limits(
        parts.settings.event_limit, parts.settings.batch_limit, parts.settings.batch_events
    )
    app.publish = Publish(parts, limits)
    for module in (
        events,
        subscriptions,
        pull,
        refusals,
        organisations,
        grants,
        clients,
        signing_keys,
        tokens,
        health,
    ):
        app.include_router(module.router)
    _describe_publish(app)
    return app


def _describe_publish(app: FastAPI) -> None:
    made = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = publish_openapi.describe(made())
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend it
