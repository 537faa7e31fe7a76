"""Stores the dead letters of queues with all other dead letters."""

from collections.abc import Sequence
from datetime import datetime

from gateway.base.defects import each_alone, isolated
from gateway.base.telemetry import log
from gateway.broker import DeadLetterMessage, names
from gateway.contracts import Failure
from gateway.delivery.store import DeadLetters, NewDeadLetter
from gateway.delivery.test_event import TEST_EVENT_TYPE
from gateway.journal import Position

_FAILURES = {
    "rejected": (Failure.REJECTED, "the subscriber rejected it"),
    "delivery_limit": (Failure.RETURNED, "it was returned to the queue too often"),
    "expired": (Failure.EXPIRED, "it was not consumed in time"),
}


class DeadLetterConsumer:
    """Consumes the broker's queue of dead letters."""

    def __init__(self, dead_letters: DeadLetters) -> None:
        self._dead_letters = dead_letters

    async def consume(self, messages: Sequence[DeadLetterMessage]) -> None:
        """Store messages as dead letters. Repeating it is safe. Raises DatabaseUnavailable.

        One that cannot be stored, which is a defect, is logged and keeps no other from it.
        """
        new = [each for message in messages if (each := _read(message)) is not None]
        if not new:
            return
        lost = await each_alone("dead_letters.store", new, self._dead_letters.add)
        for each in lost:
            log().error(
                "dead_letter.unstorable_dropped",
                organisation=each.key[0],
                subscription=each.key[1],
                shard=each.position.shard,
                sequence=each.position.sequence,
            )
        if len(new) > len(lost):
            log().warning("dead_letters.stored", count=len(new) - len(lost))


def _read(message: DeadLetterMessage) -> NewDeadLetter | None:
    with isolated("dead_letters.consumer", queue=message.queue):
        return _new_dead_letter(message)
    return None


def _new_dead_letter(message: DeadLetterMessage) -> NewDeadLetter | None:
    if message.event.type == TEST_EVENT_TYPE:
        return None
    key = names.owner(message.queue)
    position = _parse_position(str(message.event.attributes.get("sequence", "")))
    if key is None or position is None:
        log().error("dead_letter.unknown_dropped", queue=message.queue, type=message.event.type)
        return None
    failure, detail = _FAILURES.get(message.reason, (Failure.REJECTED, message.reason[:100]))
    recorded = datetime.fromisoformat(str(message.event.attributes["recordedtime"]))
    return NewDeadLetter(
        key, position, recorded, message.event.type, failure, detail, message.attempts
    )


def _parse_position(text: str) -> Position | None:
    shard, _, sequence = text.partition("-")
    if not (shard.isdecimal() and sequence.isdecimal()):
        return None
    return Position(int(shard), int(sequence))
