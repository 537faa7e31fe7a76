"""The FastAPI application: every route of the gateway."""

from collections.abc import Mapping
from types import MappingProxyType

from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from gateway import __version__
from gateway.base.errors import NusabusError
from gateway.http import (
    authorization_server,
    client_certificates,
    clients,
    contracts,
    dead_letters,
    documentation,
    error_handlers,
    events,
    grants,
    health,
    openapi,
    organisations,
    problems,
    publish,
    pull,
    quotas,
    redrives,
    refusals,
    requests,
    retention,
    signing_keys,
    source_prefixes,
    stream,
    subscriptions,
    tokens,
)
from gateway.http.asgi_endpoint import AsgiEndpoint
from gateway.http.body import read, replayed
from gateway.http.context import ApiContext
from gateway.http.entrance import Entrance
from gateway.http.open_calls import OpenCalls
from gateway.http.publish import PublishEndpoint
from gateway.http.requests import RequestEndpoint
from gateway.http.security_headers import SecurityHeaders
from gateway.publishing import Limits

WITHOUT_BODY = {"GET", "HEAD", "OPTIONS"}
BODY_LIMIT = 64 << 10  # bytes; publishing has limits of its own
CONTRACT_LIMIT = 2 << 20  # bytes: schemas and examples
ROUTES = (
    events,
    subscriptions,
    pull,
    stream,
    requests,
    dead_letters,
    redrives,
    refusals,
    retention,
    organisations,
    grants,
    source_prefixes,
    quotas,
    contracts,
    clients,
    client_certificates,
    signing_keys,
    tokens,
    authorization_server,
    health,
)


class Application(FastAPI):
    """FastAPI, with some POST operations beside its router, and a limit for every body.

    `endpoints` are those operations by path: FastAPI's middleware and router would cost them much.
    Bodies are read before the router, within a size and a time, because FastAPI's `max_body_size`
    answers in plain text, and after an operation without a body has already been carried out.
    """

    endpoints: Mapping[str, AsgiEndpoint] = MappingProxyType({})
    event_limit: int = BODY_LIMIT
    entrance: Entrance
    open_calls: OpenCalls
    security_headers = SecurityHeaders(https=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        send = self.security_headers.adding(send, scope["path"])
        try:
            await self._answer(scope, receive, send)
        finally:
            self.entrance.leave(scope)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        path, method = scope["path"], scope["method"]
        try:
            header = await self.entrance.enter(scope)
            endpoint = self.endpoints.get(path) if method == "POST" else None
            if endpoint is None and method not in WITHOUT_BODY:
                body = await read(
                    scope["headers"], receive, self._limit(path), self.state.context.settings
                )
                receive = replayed(body, receive)
        except NusabusError as error:
            await problems.response(error)(scope, receive, send)
        else:
            answer = endpoint or super().__call__
            if header is None:  # a public path
                await answer(scope, receive, send)
            else:
                received = endpoint is None and method not in WITHOUT_BODY
                await self.open_calls.run(answer, scope, receive, send, header, received=received)

    def _limit(self, path: str) -> int:
        """The bytes that a body may have."""
        if path.startswith((requests.router.prefix, dead_letters.router.prefix)):
            return self.event_limit
        return CONTRACT_LIMIT if path.startswith(contracts.PREFIX) else BODY_LIMIT


def make_app(context: ApiContext) -> Application:
    """The application over the context of a process."""
    app = Application(
        title="Nusabus",
        version=__version__,
        summary=openapi.SUMMARY,
        description=openapi.DESCRIPTION,
        contact=openapi.CONTACT,
        license_info=openapi.LICENSE,
        openapi_tags=openapi.TAGS,
        servers=[{"url": context.settings.url, "description": "This gateway."}],
        generate_unique_id_function=openapi.operation_id,
        separate_input_output_schemas=False,
        openapi_url=None,  # and no pages: `documentation` serves both
        redirect_slashes=False,
    )
    app.open_calls = OpenCalls(context)
    app.entrance = Entrance(context, {publish.PATH, requests.PATH})
    app.security_headers = SecurityHeaders(https=context.settings.url.startswith("https://"))
    app.state.context = context
    error_handlers.install(app)
    limits = Limits(
        context.settings.event_limit, context.settings.batch_limit, context.settings.batch_events
    )
    app.event_limit = limits.event_bytes
    app.endpoints = {
        publish.PATH: PublishEndpoint(context, limits),
        requests.PATH: RequestEndpoint(context, limits),
    }
    for module in ROUTES:
        app.include_router(module.router)
    openapi.install(app, (publish.described, requests.described))
    documentation.install(app)
    return app
