"""What the responses of an endpoint mean."""

import pytest

from gateway.delivery.webhook.handshake import (
    HandshakeAccepted,
    HandshakeDeclined,
    parse_handshake,
)
from gateway.delivery.webhook.sender import (
    AttemptResult,
    Delivered,
    EndpointGone,
    EndpointResponse,
    Rejected,
    RetryLater,
    classify,
)


@pytest.mark.parametrize(
    ("status", "result"),
    [
        (200, Delivered("200 OK")),
        (204, Delivered("204 No Content")),
        (299, Delivered("299")),
        (301, RetryLater("301 Moved Permanently: redirects are not followed", 301)),
        (307, RetryLater("307 Temporary Redirect: redirects are not followed", 307)),
        (400, RetryLater("400 Bad Request", 400)),
        (401, RetryLater("401 Unauthorized", 401)),
        (404, RetryLater("404 Not Found", 404)),
        (410, EndpointGone("410 Gone")),
        (415, Rejected("415 Unsupported Media Type")),
        (422, Rejected("422 Unprocessable Content")),
        (500, RetryLater("500 Internal Server Error", 500)),
        (599, RetryLater("599", 599)),
    ],
)
def test_a_status(status: int, result: AttemptResult) -> None:
    assert classify(EndpointResponse(status, {})) == result


def test_the_requested_delay() -> None:
    response = EndpointResponse(503, {"retry-after": "7"})
    assert classify(response) == RetryLater("503 Service Unavailable", 503, 7.0)


@pytest.mark.parametrize(
    ("headers", "rate"),
    [
        ({"webhook-allowed-origin": "*"}, None),
        ({"webhook-allowed-origin": "BUS.example", "webhook-allowed-rate": "*"}, None),
        ({"webhook-allowed-origin": "bus.example", "webhook-allowed-rate": "120"}, 2.0),
    ],
)
def test_an_endpoint_that_accepts(headers: dict[str, str], rate: float | None) -> None:
    assert parse_handshake(EndpointResponse(405, headers), "bus.example") == HandshakeAccepted(rate)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"webhook-allowed-origin": "lain.example"},
        {"webhook-allowed-origin": "*", "webhook-allowed-rate": "0"},
        {"webhook-allowed-origin": "*", "webhook-allowed-rate": "-1"},
        {"webhook-allowed-origin": "*", "webhook-allowed-rate": "banyak"},
    ],
)
def test_an_endpoint_that_does_not(headers: dict[str, str]) -> None:
    assert isinstance(
        parse_handshake(EndpointResponse(200, headers), "bus.example"), HandshakeDeclined
    )
