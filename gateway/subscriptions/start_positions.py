"""Where a subscription starts: after which sequence of each shard."""

from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncSession

from gateway.base.errors import Invalid
from gateway.contracts import LONGEST_LIFETIME
from gateway.journal import JournalReader
from gateway.subscriptions import register
from gateway.subscriptions.values import ShardSequences, Subscription

START_NOW, START_BEGINNING, START_WAITING = "now", "beginning", "waiting"


async def start_positions(
    session: AsyncSession, new: Subscription, reader: JournalReader
) -> ShardSequences:
    """Where a new subscription starts, by its `start`."""
    if new.start == START_WAITING:
        return await _undelivered(session, new, reader)
    return await _positions_at(new.start, reader)


async def seek_positions(to: str | datetime, reader: JournalReader) -> ShardSequences:
    """Where to go on; for the `sequence` of an event, in its shard alone.

    Raises Invalid for a sequence that the journal does not have.
    """
    if isinstance(to, str) and to not in (START_NOW, START_BEGINNING):
        return await _position_before(to, reader)
    return await _positions_at(start_text(to, point_to_point=False), reader)


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


async def _positions_at(start: str, reader: JournalReader) -> ShardSequences:
    if start == START_NOW:
        return {shard: head.sequence for shard, head in (await reader.heads()).items()}
    if start == START_BEGINNING:
        return dict.fromkeys(await reader.heads(), 0)
    before = await reader.cursors_before(datetime.fromisoformat(start))
    return {shard: cursor.sequence for shard, cursor in before.items()}


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
