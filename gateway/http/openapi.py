"""The OpenAPI document: what it says besides the routes."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from fastapi import APIRouter, FastAPI, Security
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from gateway.http.context import BEARER, CLIENT_CREDENTIALS
from gateway.http.problems import Problem
from gateway.http.tokens import TokenRequest

SUMMARY = "A national event bus: accept, store and route events between ministries."
DESCRIPTION = """\
Ministries publish CloudEvents over HTTP. The gateway validates each event against its contract,
stores it durably and delivers it to every subscription.

- **Authentication**: get an access token from `POST /oauth/token` with the credentials of a client.
- **Errors** are `application/problem+json` (RFC 9457). `type` is stable; `detail` says what to do.
- **Lists** are paged: pass `next` of one page as `cursor` of the following request.
- **Times** are RFC 3339. Durations are in seconds, and sizes in bytes.
- **Repeating**: after a timeout or a 5xx answer repeat the request with the same event id. The
  event is stored once.
"""
CONTACT = {"name": "The Nusabus project", "url": "https://nusabus.go.id"}
LICENSE = {"name": "Apache-2.0", "identifier": "Apache-2.0"}
TAGS = [
    {"name": "events", "description": "Publish events, and look up where an event is."},
    {"name": "subscriptions", "description": "Which events an organisation receives, and how."},
    {"name": "pull", "description": "Receive events under a lock, and settle them."},
    {"name": "stream", "description": "Receive events as server-sent events."},
    {"name": "webhooks", "description": "Secrets that verify the calls of webhooks."},
    {"name": "requests", "description": "Send a request, and reply to one."},
    {"name": "dead letters", "description": "Deliveries that failed for good: redrive, correct."},
    {"name": "deliveries", "description": "Which subscription got an event, and what is pending."},
    {"name": "refusals", "description": "Events that were not accepted, and why."},
    {"name": "retention", "description": "What was removed when its time was over."},
    {"name": "contracts", "description": "Event types, their schemas and their lifecycle."},
    {"name": "organisations", "description": "The ministries and agencies that take part."},
    {"name": "grants", "description": "Rights on event types that others own."},
    {"name": "sources", "description": "Which sources an organisation owns."},
    {"name": "quotas", "description": "How much an organisation may use of the bus, and uses."},
    {"name": "clients", "description": "The credentials of organisations."},
    {"name": "signing keys", "description": "The keys that sign access tokens."},
    {"name": "tokens", "description": "Access tokens, and the keys that verify them."},
    {"name": "health", "description": "Probes and metrics for the platform."},
]
_SCHEMAS: dict[str, Any] = {
    "AsyncApiDocument": {"type": "object", "description": "An AsyncAPI 3.0 document."},
    # With a `type` of its own openapi-python-client would check isinstance(body, list[CloudEvent]),
    # which Python refuses.
    "EventBatch": {
        "description": "Events in the JSON batch format of CloudEvents 1.0.",
        "allOf": [
            {
                "type": "array",
                "maxItems": 1000,
                "items": {"$ref": "#/components/schemas/CloudEvent"},
            }
        ],
    },
}
_PAGE = re.compile(r"\bPage_(\w+)_$")  # how pydantic names a Page[T]
_REFERENCE = "#/components/schemas/{model}"


def described_router(tag: str) -> APIRouter:
    """A router that only describes operations, which are served beside the real one."""
    return APIRouter(
        tags=[tag],
        dependencies=[Security(BEARER), Security(CLIENT_CREDENTIALS)],
        generate_unique_id_function=operation_id,
    )


def operation_id(route: APIRoute) -> str:
    """The id of an operation: the name of its function, in camel case."""
    first, *others = route.name.split("_")
    return first + "".join(word.capitalize() for word in others)


def install(app: FastAPI, described: Sequence[APIRouter]) -> None:
    """Let the application describe its own routes, and those that are served beside its router."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            routes = [*app.routes, *(route for router in described for route in router.routes)]
            app.openapi_schema = _document(app, routes)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend it


def _document(app: FastAPI, routes: Sequence[Any]) -> dict[str, Any]:
    document = get_openapi(
        title=app.title,
        version=app.version,
        summary=app.summary,
        description=app.description,
        contact=app.contact,
        license_info=app.license_info,
        servers=app.servers,
        tags=app.openapi_tags,
        separate_input_output_schemas=app.separate_input_output_schemas,
        routes=routes,
    )
    schemas = document["components"]["schemas"]
    _drop_framework_errors(document["paths"], schemas)
    schemas.update(_schemas(Problem, TokenRequest) | _SCHEMAS)
    for each in _parts(document):
        if each.get("default", each) is None:  # of a member that may be left out
            del each["default"]
        if isinstance(reference := each.get("$ref"), str):
            each["$ref"] = _PAGE.sub(r"\1Page", reference)
    names = {_PAGE.sub(r"\1Page", name): schema for name, schema in schemas.items()}
    for name, schema in names.items():
        schema["title"] = name
    document["components"]["schemas"] = dict(sorted(names.items()))
    return document


def _drop_framework_errors(paths: Any, schemas: dict[str, Any]) -> None:
    """Drop the 422 that FastAPI adds to every operation with a parameter: none answers it."""
    added = "#/components/schemas/HTTPValidationError"
    for operations in paths.values():
        for operation in operations.values():
            content = operation["responses"].get("422", {}).get("content", {})
            if content.get("application/json", {}).get("schema") == {"$ref": added}:
                del operation["responses"]["422"]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)


def _schemas(*models: type[BaseModel]) -> dict[str, Any]:
    """The schemas of models that no route names as its own."""
    _, found = models_json_schema(
        [(model, "validation") for model in models], ref_template=_REFERENCE
    )
    definitions: dict[str, Any] = found["$defs"]
    return definitions


def _parts(value: Any) -> Iterator[dict[str, Any]]:
    """Every object in a JSON value."""
    if isinstance(value, dict):
        yield value
    for each in value.values() if isinstance(value, dict) else value:
        if isinstance(each, dict | list):
            yield from _parts(each)
