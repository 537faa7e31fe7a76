"""Asking an endpoint whether it wants our events, before the first one.

CloudEvents: HTTP 1.1 Web Hooks for Event Delivery, section 4 (abuse protection).
"""

from typing import NamedTuple

from gateway.delivery.webhook.sender import EndpointResponse, NoResponse, WebhookSender, status_line

MINUTE = 60.0


class HandshakeAccepted(NamedTuple):
    """The endpoint wants our events, `rate` a second at most; None is any."""

    rate: float | None


class HandshakeDeclined(NamedTuple):
    """It did not say so."""

    reason: str


async def ask(caller: WebhookSender, *, rate: float) -> HandshakeAccepted | HandshakeDeclined:
    """One validation request; `rate` is what we would like, in deliveries a second."""
    wanted = str(max(1, int(rate * MINUTE)))
    try:
        answer = await caller.call("OPTIONS", [("webhook-request-rate", wanted)])
    except NoResponse as failure:
        return HandshakeDeclined(f"the handshake failed: {failure}")
    return judge(answer, caller.origin)


def judge(answer: EndpointResponse, origin: str) -> HandshakeAccepted | HandshakeDeclined:
    """What the answer says. The status proves nothing (section 4.2)."""
    allowed = answer.headers.get("webhook-allowed-origin", "").strip()
    if allowed != "*" and allowed.lower() != origin.lower():
        said = "another origin" if allowed else "nothing"
        return HandshakeDeclined(
            f"the endpoint answered the handshake with {status_line(answer.status)} and {said} in "
            f"WebHook-Allowed-Origin: let it answer OPTIONS with {origin} or * there"
        )
    text = answer.headers.get("webhook-allowed-rate", "*").strip()
    if text == "*":
        return HandshakeAccepted(None)
    if text.isascii() and text.isdigit() and 0 < len(text) < 10 and int(text) > 0:
        return HandshakeAccepted(int(text) / MINUTE)
    return HandshakeDeclined(
        "the endpoint's WebHook-Allowed-Rate is neither a number above 0 nor *"
    )
