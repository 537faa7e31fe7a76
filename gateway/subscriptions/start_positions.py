"""Where a subscription starts: after which sequence of each shard."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from gateway.base import type_pattern
from gateway.base.errors import Gone, Invalid
from gateway.base.times import rfc3339
from gateway.contracts import LONGEST_LIFETIME
from gateway.journal import JournalReader
from gateway.subscriptions import register
from gateway.subscriptions.values import ShardSequences, Subscription

_TICK = timedelta(microseconds=1)
START_NOW, START_BEGINNING, START_WAITING = "now", "beginning", "waiting"


async def start_positions(
    session: AsyncSession, new: Subscription, reader: JournalReader
) -> ShardSequences:
    """Where a new subscription starts, by its `start`. Raises Gone, see `require_kept`."""
    if new.start == START_WAITING:
        waiting = await _undelivered(session, new, reader)
        await require_kept(new.types, waiting, reader)
        return waiting
    return await _positions_at(new.start, new.types, reader)


async def seek_positions(
    to: str | datetime, types: Iterable[str], reader: JournalReader
) -> ShardSequences:
    """Where to go on; for the `sequence` of an event, in its shard alone.

    Raises Invalid for a sequence that the journal does not have, Gone as `require_kept`.
    """
    if isinstance(to, str) and to not in (START_NOW, START_BEGINNING):
        before = await _position_before(to, reader)
        await require_kept(types, before, reader)
        return before
    return await _positions_at(start_text(to, point_to_point=False), types, reader)


async def require_kept(
    types: Iterable[str],
    positions: ShardSequences,
    reader: JournalReader,
    *,
    since: datetime | None = None,
) -> None:
    """Raises Gone where events of these types after the positions, or since a time, were removed.

    Who asks for the beginning asks for what is kept, and is not refused.
    """
    removed = {
        shard: floor
        for shard, floor in (await reader.floors(type_pattern.expression(types))).items()
        if shard in positions
        and (positions[shard] < floor.sequence if since is None else since <= floor.recorded)
    }
    if not removed:
        return
    kept_from = rfc3339(max(floor.recorded for floor in removed.values()) + _TICK)
    raise Gone(
        f"Events of these types from before {kept_from} were removed, because their contract keeps "
        "them no longer. Start there, or with `beginning` for all that is kept.",
        {
            "kept_from": kept_from,
            "kept_after": {str(shard): floor.sequence for shard, floor in sorted(removed.items())},
        },
    )


def start_text(start: str | datetime | None, point_to_point: bool) -> str:
    """A requested start as it is kept. Raises Invalid if it does not fit the types."""
    if isinstance(start, datetime):
        return start.astimezone(UTC).isoformat()
    if start is None:
        return START_WAITING if point_to_point else START_NOW
    if start == START_WAITING and not point_to_point:
        raise Invalid(
            "`waiting` is for point-to-point types. Use `now`, `beginning` or a time.",
            pointer="/start",
        )
    return start


async def _positions_at(start: str, types: Iterable[str], reader: JournalReader) -> ShardSequences:
    if start == START_NOW:
        return {shard: head.sequence for shard, head in (await reader.heads()).items()}
    if start == START_BEGINNING:
        return dict.fromkeys(await reader.heads(), 0)
    since = datetime.fromisoformat(start)
    before = await reader.cursors_before(since)
    positions = {shard: cursor.sequence for shard, cursor in before.items()}
    await require_kept(types, positions, reader, since=since)
    return positions


async def _position_before(sequence: str, reader: JournalReader) -> ShardSequences:
    shard, number = map(int, sequence.split("-"))
    head = (await reader.heads()).get(shard)
    if head is None or not 1 <= number <= head.sequence + 1:
        raise Invalid(f"The journal has no sequence {sequence}.", pointer="/to")
    return {shard: number - 1}


async def _undelivered(
    session: AsyncSession, new: Subscription, reader: JournalReader
) -> ShardSequences:
    """After what earlier subscriptions to these point-to-point types have had.

    Requests that are older than any deadline have expired: they are skipped.
    """
    delivered = await register.delivered_positions(session, new.types, await reader.heads())
    if not new.is_responder:
        return delivered
    oldest = await reader.cursors_before(datetime.now(UTC) - LONGEST_LIFETIME)
    return {shard: max(start, oldest[shard].sequence) for shard, start in delivered.items()}
