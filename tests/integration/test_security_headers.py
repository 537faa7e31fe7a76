"""Headers of every answer, and requests that say twice who calls."""

import httpx
import pytest

from tests.builders import FREE
from tests.bus import Bus
from tests.problems import problem_of

PATHS = [
    "/v1/organisations",
    "/v1/tidak-ada",
    "/health/live",
    "/docs",
    "/openapi.json",
    "/v1/clients",
]


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_has_them(bus: Bus, path: str) -> None:
    for answer in (bus.http.get(path), bus.actor("uji").get(path)):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["cache-control"] == "no-store"
        assert "strict-transport-security" not in answer.headers  # this bus has no https


def test_publishing_and_secrets_are_not_stored(bus: Bus) -> None:
    uji = bus.actor("uji")
    published = uji.publish({})
    made = uji.put_subscription("rahasia", FREE, delivery="amqp")
    for answer in (published, made):
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
    uji.delete("/v1/subscriptions/rahasia").raise_for_status()


def test_two_authorizations_are_malformed(bus: Bus) -> None:
    header = bus.actor("uji").headers["authorization"]
    for first, second in ((header, "Bearer x"), (header, header), ("Basic eDp5", header)):
        for method, path in (
            ("GET", "/v1/organisations"),
            ("POST", "/v1/events"),
            ("POST", "/oauth/token"),
            ("GET", "/metrics"),
        ):
            headers = httpx.Headers([("authorization", first), ("authorization", second)])
            problem_of(bus.http.request(method, path, headers=headers), 400, "malformed")
