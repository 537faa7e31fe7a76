"""The handshake: asks an endpoint whether it accepts our events, before the first one is sent.

CloudEvents: HTTP 1.1 Web Hooks for Event Delivery, section 4 (abuse protection).
"""

from typing import NamedTuple

from gateway.delivery.webhook.sender import (
    EndpointResponse,
    NoResponse,
    WebhookSender,
    defect_detail,
    status_line,
)

MINUTE = 60.0


class HandshakeAccepted(NamedTuple):
    """The endpoint accepts our events, at most `rate` per second; None is no limit."""

    rate: float | None


class HandshakeDeclined(NamedTuple):
    """The endpoint did not accept our events; the reason is for its owner."""

    reason: str


async def perform_handshake(
    sender: WebhookSender, *, rate: float
) -> HandshakeAccepted | HandshakeDeclined:
    """Send one validation request. `rate` is the rate that we ask for, in deliveries per second."""
    try:
        requested = str(max(1, int(rate * MINUTE)))
        response = await sender.call("OPTIONS", [("webhook-request-rate", requested)])
        return parse_handshake(response, sender.origin)
    except NoResponse as failure:
        return HandshakeDeclined(f"the handshake failed: {failure}")
    except Exception as error:
        return HandshakeDeclined(defect_detail("webhooks.handshake", error))


def parse_handshake(
    response: EndpointResponse, origin: str
) -> HandshakeAccepted | HandshakeDeclined:
    """Read the answer to a validation request. Its status proves nothing (section 4.2)."""
    allowed = response.headers.get("webhook-allowed-origin", "").strip()
    if allowed != "*" and allowed.lower() != origin.lower():
        found = "another origin" if allowed else "nothing"
        return HandshakeDeclined(
            f"the endpoint answered the handshake with {status_line(response.status)} and {found} "
            f"in WebHook-Allowed-Origin; answer OPTIONS with {origin} or * in that header"
        )
    text = response.headers.get("webhook-allowed-rate", "*").strip()
    if text == "*":
        return HandshakeAccepted(None)
    if text.isascii() and text.isdigit() and 0 < len(text) < 10 and int(text) > 0:
        return HandshakeAccepted(int(text) / MINUTE)
    return HandshakeDeclined(
        "the endpoint's WebHook-Allowed-Rate is neither a number greater than 0 nor *"
    )
