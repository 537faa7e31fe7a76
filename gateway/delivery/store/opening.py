"""Writing what was just found in the journal: several deliveries in one statement."""

from collections.abc import Sequence
from typing import NamedTuple

from gateway.base.transactions import Connection
from gateway.contracts import Failure
from gateway.delivery.store import limits_sql as sql
from gateway.delivery.store.values import Fresh, Key


class Buried(NamedTuple):
    """A delivery that failed for good before it was ever open, after so many attempts."""

    fresh: Fresh
    failure: Failure
    detail: str
    attempts: int = 1


async def bury(connection: Connection, key: Key, buried: Sequence[Buried]) -> None:
    """Make dead letters of them; what lies there already is kept once."""
    await connection.execute(
        sql.BURY_FRESH,
        *key,
        *columns([each.fresh for each in buried]),
        [each.failure.value for each in buried],
        [each.detail for each in buried],
        [each.attempts for each in buried],
    )


def columns(fresh: Sequence[Fresh]) -> tuple[list[object], ...]:
    """Shards, sequences, times, types and orders: one list for each."""
    return (
        [each.spot.shard for each in fresh],
        [each.spot.sequence for each in fresh],
        [each.recorded for each in fresh],
        [each.type for each in fresh],
        [each.order for each in fresh],
    )
