"""What no message can be made of: a dead letter of each subscription that should have got it."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from gateway.contracts import Failure
from gateway.delivery.store import DeadLetters, NewDeadLetter
from gateway.journal import Cursor, Position
from gateway.subscriptions import Subscription

DETAIL = "the gateway could not make a message of it, which was logged"


class Unsent(NamedTuple):
    """An entry of a shard that cannot be sent, and the subscriptions that should have got it."""

    cursor: Cursor
    type: str
    subscriptions: Sequence[Subscription]


async def set_aside(dead_letters: DeadLetters, shard: int, unsent: Iterable[Unsent]) -> None:
    """Store the dead letters, once each. Raises DatabaseUnavailable."""
    new = [
        NewDeadLetter(
            subscription.key,
            Position(shard, each.cursor.sequence),
            each.cursor.recorded,
            each.type,
            Failure.DEFECT,
            DETAIL,
            1,
        )
        for each in unsent
        for subscription in each.subscriptions
    ]
    if new:
        await dead_letters.add(new)
