"""The OpenAPI document, without a running gateway."""

from functools import cache
from types import SimpleNamespace
from typing import Any, cast

from gateway.base.settings import Settings
from gateway.http.app import make_app
from gateway.http.context import ApiContext

SETTINGS = {
    "NUSABUS_DATABASE_URL": "postgresql://unused",
    "NUSABUS_AMQP_URL": "amqp://unused",
    "NUSABUS_SECRET_KEY": "a secret key that is only for tests.",
    "NUSABUS_URL": "https://bus.example.go.id",
}


@cache
def openapi_document() -> dict[str, Any]:
    """What `/openapi.json` answers."""
    context = SimpleNamespace(settings=Settings.parse(SETTINGS))
    return make_app(cast(ApiContext, context)).openapi()
