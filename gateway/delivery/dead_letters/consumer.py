"""Keeps what AMQP subscriptions gave up where every other dead letter is."""

from collections.abc import Sequence
from datetime import datetime

from gateway.base.telemetry import log
from gateway.broker import DeadLetterMessage, names
from gateway.contracts import Failure
from gateway.delivery.store import DeadLetters, NewDeadLetter
from gateway.delivery.test_event import TEST_EVENT_TYPE
from gateway.journal import Position

_FAILURES = {
    "rejected": (Failure.REJECTED, "the subscriber rejected it"),
    "delivery_limit": (Failure.RETURNED, "it came back to the queue too often"),
    "expired": (Failure.EXPIRED, "nobody took it in time"),
}


class DeadLetterConsumer:
    """What the queue of dead letters hands its messages to."""

    def __init__(self, dead_letters: DeadLetters) -> None:
        self._dead_letters = dead_letters

    async def keep(self, messages: Sequence[DeadLetterMessage]) -> None:
        """Keep them. Raises DatabaseUnavailable; keeping them again does no harm."""
        dead_letters = [
            new for message in messages if (new := _new_dead_letter(message)) is not None
        ]
        await self._dead_letters.add(dead_letters)
        if dead_letters:
            log().warning("dead_letters.kept", count=len(dead_letters))


def _new_dead_letter(message: DeadLetterMessage) -> NewDeadLetter | None:
    if message.event.type == TEST_EVENT_TYPE:
        return None
    key = names.owner(message.queue)
    place = _place(str(message.event.attributes.get("sequence", "")))
    if key is None or place is None:
        log().error("dead_letters.unknown", queue=message.queue, type=message.event.type)
        return None
    failure, detail = _FAILURES.get(message.reason, (Failure.REJECTED, message.reason[:100]))
    recorded = datetime.fromisoformat(str(message.event.attributes["recordedtime"]))
    return NewDeadLetter(
        key, place, recorded, message.event.type, failure, detail, message.attempts
    )


def _place(sequence: str) -> Position | None:
    shard, _, number = sequence.partition("-")
    if not (shard.isdecimal() and number.isdecimal()):
        return None
    return Position(int(shard), int(number))
