"""Requests and replies: ask, answer, and pair the two."""

from gateway.request_reply.pairing import (
    DEFAULT_LIFETIME,
    REQUEST_ID,
    deadline,
    expired,
    identity_of_request,
    outgoing_request,
    pair_reply,
    reply_identity,
    require_not_expired,
    validate_request,
)
from gateway.request_reply.refused_replies import RefusedReplies, RefusedReply
from gateway.request_reply.reply_consumer import ReplyConsumer
from gateway.request_reply.reply_waiters import ReplyWaiters
from gateway.request_reply.requester import (
    LONGEST_WAIT,
    Requester,
    RequestState,
    RequestView,
    no_reply,
)
from gateway.request_reply.responder import ReplySender, Responder, StoredReply
from gateway.request_reply.responders import Responders

__all__ = [
    "DEFAULT_LIFETIME",
    "LONGEST_WAIT",
    "REQUEST_ID",
    "RefusedReplies",
    "RefusedReply",
    "ReplyConsumer",
    "ReplySender",
    "ReplyWaiters",
    "RequestState",
    "RequestView",
    "Requester",
    "Responder",
    "Responders",
    "StoredReply",
    "deadline",
    "expired",
    "identity_of_request",
    "no_reply",
    "outgoing_request",
    "pair_reply",
    "reply_identity",
    "require_not_expired",
    "validate_request",
]
