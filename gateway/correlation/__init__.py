"""Noun: correlation, how a request and its reply belong together."""

from gateway.correlation.pairing import (
    DEFAULT_LIFETIME,
    LONGEST_LIFETIME,
    REQUEST_ID,
    asked,
    deadline,
    expired,
    handed_out,
    identity_of_request,
    paired,
    reply_identity,
    require_request,
)
from gateway.correlation.refused import RefusedReplies, RefusedReply

__all__ = [
    "DEFAULT_LIFETIME",
    "LONGEST_LIFETIME",
    "REQUEST_ID",
    "RefusedReplies",
    "RefusedReply",
    "asked",
    "deadline",
    "expired",
    "handed_out",
    "identity_of_request",
    "paired",
    "reply_identity",
    "require_request",
]
