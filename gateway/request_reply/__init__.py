"""Ask a question and wait for its answer: requests, replies, and how they belong together."""

from gateway.request_reply.pairing import (
    DEFAULT_LIFETIME,
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
from gateway.request_reply.refused_replies import RefusedReplies, RefusedReply
from gateway.request_reply.reply_consumer import ReplyConsumer
from gateway.request_reply.reply_waiters import Waiting
from gateway.request_reply.requester import LONGEST_WAIT, Asked, Requester, RequestState
from gateway.request_reply.responder import Answering, Replied, Responder
from gateway.request_reply.responder_lookup import Responders

__all__ = [
    "DEFAULT_LIFETIME",
    "LONGEST_WAIT",
    "REQUEST_ID",
    "Answering",
    "Asked",
    "RefusedReplies",
    "RefusedReply",
    "Replied",
    "ReplyConsumer",
    "RequestState",
    "Requester",
    "Responder",
    "Responders",
    "Waiting",
    "asked",
    "deadline",
    "expired",
    "handed_out",
    "identity_of_request",
    "paired",
    "reply_identity",
    "require_request",
]
