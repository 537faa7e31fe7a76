"""What a subscriber settles, as the use cases of pull delivery."""

from typing import Any, TypeVar

from google.protobuf.duration_pb2 import Duration
from pydantic import BaseModel, ValidationError

from gateway.base.masking import mask
from gateway.delivery import PullDelivery, TokenResult
from gateway.grpc.wire.bus_pb2 import Settled, SubscribeRequest
from gateway.http.error_handlers import invalid_body
from gateway.http.settlements import Acknowledgement, LockRenewal, Rejection, Release
from gateway.subscriptions import Subscription

SETTLING = frozenset({"acknowledge", "reject", "release", "renew_locks"})
B = TypeVar("B", bound=BaseModel)


async def settle(
    pull: PullDelivery, subscription: Subscription, request: SubscribeRequest
) -> Settled:
    """Do what a message of SETTLING asks for. Raises Invalid, Conflict or Forbidden."""
    match request.WhichOneof("message"):
        case "acknowledge":
            tokens = _body(Acknowledgement, tokens=[*request.acknowledge.tokens]).tokens
            results = await pull.acknowledge(subscription, tokens)
        case "reject":
            asked = request.reject
            rejection = _body(Rejection, tokens=[*asked.tokens], **_reason(asked.reason))
            tokens = rejection.tokens
            results = await pull.reject(subscription, tokens, reason=mask(rejection.reason))
        case "release":
            given = request.release
            delay = {"delay": seconds(given.delay)} if given.HasField("delay") else {}
            release = _body(Release, tokens=[*given.tokens], **delay, **_reason(given.reason))
            tokens, reason = release.tokens, mask(release.reason)
            results = await pull.release(subscription, tokens, delay=release.delay, reason=reason)
        case _:
            kept = request.renew_locks
            lasting = {"seconds": seconds(kept.duration)} if kept.HasField("duration") else {}
            renewal = _body(LockRenewal, tokens=[*kept.tokens], **lasting)
            tokens = renewal.tokens
            results = await pull.renew(subscription, tokens, seconds=renewal.seconds)
    answer = Settled()
    for token, result in zip(tokens, results, strict=True):
        (answer.settled if result is TokenResult.SETTLED else answer.gone).append(token)
    return answer


def seconds(duration: Duration) -> float:
    """A duration in seconds."""
    return duration.seconds + duration.nanos / 1e9


def _reason(text: str) -> dict[str, str]:
    return {"reason": text} if text else {}


def _body(model: type[B], **members: Any) -> B:
    """The body that HTTP would have got. Raises Invalid, as HTTP answers."""
    try:
        return model(**members)
    except ValidationError as error:
        raise invalid_body(
            [{**fault, "loc": ("body", *fault["loc"])} for fault in error.errors()]
        ) from None
