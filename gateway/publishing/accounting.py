"""What goes with accepting events, whichever door they came through: refusals kept, all counted."""

from collections.abc import Callable, Sequence

from prometheus_client import Counter

from gateway.base.errors import FailedDependency, Refused
from gateway.base.event import Event
from gateway.base.telemetry import METRICS
from gateway.identity import Client, Quota
from gateway.journal import Checkpoint, Refusal, Refusals
from gateway.publishing.publish import EventPublisher, Receipt
from gateway.quotas import Gate

ACCEPTED = Counter(
    "nusabus_events_accepted", "Events that were stored, or were stored before", registry=METRICS
)
REFUSED = Counter(
    "nusabus_events_refused", "Events that were refused, by reason", ["reason"], registry=METRICS
)


async def publish_counted(
    events: Sequence[Event | Refused],
    sender: Client,
    *,
    publisher: EventPublisher,
    refusals: Refusals,
    gate: Gate,
    digest: Callable[[int], bytes],
    atomic: bool = False,
    checkpoint: Checkpoint | None = None,
) -> list[Receipt | Refused]:
    """Publish several events, whose number the caller has counted against the quota.

    What is refused is kept as evidence, and counts against the quota of refusals.
    `digest` is that of the bytes of one that could not be parsed. `checkpoint` is stored with the
    events. Raises what `publish_each` and `publish_all` raise.
    """
    if atomic:
        results = await publisher.publish_all(events, sender)
    else:
        results = await publisher.publish_each(events, sender, checkpoint=checkpoint)
    await _keep_refusals(events, results, sender, refusals, gate, digest)
    ACCEPTED.inc(sum(isinstance(result, Receipt) for result in results))
    for result in results:
        if isinstance(result, Refused):
            REFUSED.labels(result.code).inc()
    return results


async def refuse_whole(
    error: Refused,
    sender: Client,
    digest: bytes,
    *,
    refusals: Refusals,
    gate: Gate,
    events: int = 1,
) -> None:
    """Keep and count the refusal of a call or chunk as a whole, with the digest of its bytes."""
    gate.spend(Quota.REFUSALS)
    await refusals.record([refusal(sender, None, error, digest)])
    REFUSED.labels(error.code).inc(events)


async def _keep_refusals(
    events: Sequence[Event | Refused],
    results: Sequence[Receipt | Refused],
    sender: Client,
    refusals: Refusals,
    gate: Gate,
    digest: Callable[[int], bytes],
) -> None:
    refused = [
        refusal(sender, item if isinstance(item, Event) else None, result, digest(index))
        for index, (item, result) in enumerate(zip(events, results, strict=True))
        if isinstance(result, Refused) and not isinstance(result, FailedDependency)
    ]
    if refused:
        gate.spend(Quota.REFUSALS, len(refused))
        await refusals.record(refused)


def refusal(sender: Client, event: Event | None, error: Refused, digest: bytes) -> Refusal:
    """Why an event was refused, without its data; `digest` is that of the bytes that were sent."""
    return Refusal.from_error((sender.id, sender.organisation), event, error, digest)
