"""Calls about quotas, for tests that have several api processes."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import httpx

from tests.builders import a_document
from tests.bus import STRUCTURED, Actor, Bus
from tests.waiting import eventually

Api = httpx.Client  # of one process


def put_quotas(
    bus: Bus, organisation: str, quotas: Mapping[str, int], **clients: Mapping[str, int]
) -> None:
    """Set the quotas of an organisation, and of its clients by id."""
    body = {"quotas": quotas, "clients": clients}
    path = f"/v1/organisations/{organisation}/quotas"
    bus.admin.call("PUT", path, json=body, headers={"if-match": "*"}).raise_for_status()


def in_force(apis: list[Api], actor: Actor, quota: str, limit: int) -> None:
    """Wait until every process shows a limit; it is said to take a second at most."""
    path = f"/v1/organisations/{actor.organisation}/usage"

    def shown(api: Api) -> bool:
        return bool(usage_in(api.get(path, headers=actor.headers), quota)["limit"] == limit)

    for api in apis:
        eventually(partial(shown, api))


def usage_in(answer: httpx.Response, quota: str, client: str | None = None) -> dict[str, Any]:
    """The row of one quota in an answer."""
    return next(
        dict(each)
        for each in answer.raise_for_status().json()["items"]
        if each["quota"] == quota and each.get("client") == client
    )


def usage(actor: Actor, quota: str) -> dict[str, Any]:
    """What the organisation of a client has used of a quota."""
    return usage_in(actor.get(f"/v1/organisations/{actor.organisation}/usage"), quota)


def publish(api: Api, actor: Actor) -> httpx.Response:
    """Publish one event through one process."""
    event = a_document(source=f"/{actor.organisation}")
    return api.post("/v1/events", json=event, headers={**actor.headers, **STRUCTURED})
