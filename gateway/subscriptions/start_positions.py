"""Where a subscription begins."""

from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncSession

from gateway.base.errors import Invalid
from gateway.contracts import LONGEST_LIFETIME
from gateway.journal import JournalReader
from gateway.subscriptions import ShardSequences, Subscription, register

START_NOW, START_BEGINNING, START_WAITING = "now", "beginning", "waiting"


async def places_of(start: str, reader: JournalReader) -> ShardSequences | None:
    """Above which sequences `start` begins; None where it is what nobody has worked off."""
    if start == START_WAITING:
        return None
    if start == START_NOW:
        return {s: place.sequence for s, place in (await reader.heads()).items()}
    if start == START_BEGINNING:
        return dict.fromkeys(await reader.heads(), 0)
    places = await reader.cursors_before(datetime.fromisoformat(start))
    return {shard: place.sequence for shard, place in places.items()}


async def places_sought(to: str | datetime, reader: JournalReader) -> ShardSequences:
    """Above which sequences to go on; for the `sequence` of an event, in its shard alone.

    Raises Invalid where the journal has no such place.
    """
    if isinstance(to, str) and to not in (START_NOW, START_BEGINNING):
        return await _places_before(to, reader)
    places = await places_of(start_text(to, point_to_point=False), reader)
    assert places is not None  # noqa: S101 - only `waiting` has none
    return places


async def _places_before(sequence: str, reader: JournalReader) -> ShardSequences:
    shard, number = map(int, sequence.split("-"))
    head = (await reader.heads()).get(shard)
    if head is None or not 1 <= number <= head.sequence + 1:
        raise Invalid(f"the journal has no place {sequence}", pointer="/to")
    return {shard: number - 1}


async def worked_off(
    session: AsyncSession, new: Subscription, reader: JournalReader
) -> ShardSequences:
    """Above what was worked off of its types before.

    Requests that are older than any deadline have expired: they are not looked at.
    """
    starts = await register.served(session, new.types, await reader.heads())
    if not new.is_responder:
        return starts
    oldest = await reader.cursors_before(datetime.now(UTC) - LONGEST_LIFETIME)
    return {shard: max(start, oldest[shard].sequence) for shard, start in starts.items()}


def start_text(start: str | datetime | None, point_to_point: bool) -> str:
    """The word that is kept of a wish. Raises Invalid where it does not fit the types."""
    if isinstance(start, datetime):
        return start.astimezone(UTC).isoformat()
    if start is None:
        return START_WAITING if point_to_point else START_NOW
    if start == START_WAITING and not point_to_point:
        raise Invalid(
            "waiting is for point-to-point types: say now, beginning or a time", pointer="/start"
        )
    return start
