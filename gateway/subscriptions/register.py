"""Subscriptions in the database: made, listed, ended."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

import msgspec
from sqlalchemy import func, select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from gateway.base.errors import Conflict, NotFound
from gateway.subscriptions.tables import (
    CursorRow,
    PointToPointPositionRow,
    SubscriptionRow,
    subscription_of,
)
from gateway.subscriptions.values import Key, ShardSequences, Subscription, SubscriptionState, Terms

LIMIT = 100  # of one organisation; a quorum queue costs the broker about 1 MB and a log
# Of the names of all queues with filters. All of them may want one event: their keys stand in its
# header then, and a header must fit one frame of 128 KiB.
CHOOSY_BYTES = 64 << 10
_KEY = 25  # bytes of a private key beside the names of organisation and subscription


@dataclass(frozen=True)
class Subscriptions:
    """All subscriptions, in memory."""

    all: tuple[Subscription, ...]


async def load(session: AsyncSession) -> Subscriptions:
    """The subscriptions as the database has them now."""
    rows = (await session.execute(select(SubscriptionRow))).scalars()
    return Subscriptions(tuple(subscription_of(row) for row in rows))


async def receiving(session: AsyncSession, types: Collection[str]) -> list[Key]:
    """The subscriptions that receive one of these event types, in the order of their keys."""
    known = await load(session)
    return sorted(each.key for each in known.all if any(map(each.wants, types)))


async def find(session: AsyncSession, organisation: str, name: str) -> Subscription | None:
    """One subscription, or None."""
    row = await session.get(SubscriptionRow, (organisation, name))
    return None if row is None else subscription_of(row)


async def page(
    session: AsyncSession, organisation: str | None, *, after: str | None, limit: int
) -> list[Subscription]:
    """Subscriptions in the order of `organisation/name`, of one organisation or of all."""
    query = select(SubscriptionRow).order_by(
        col(SubscriptionRow.organisation), col(SubscriptionRow.name)
    )
    if organisation is not None:
        query = query.where(col(SubscriptionRow.organisation) == organisation)
    if after is not None:
        last = tuple(after.split("/", 1))
        query = query.where(
            tuple_(col(SubscriptionRow.organisation), col(SubscriptionRow.name)) > tuple_(*last)
        )
    rows = (await session.execute(query.limit(limit))).scalars()
    return [subscription_of(row) for row in rows]


async def add(session: AsyncSession, new: Subscription, starts: ShardSequences) -> None:
    """Store a new subscription that is to receive what lies above `starts`.

    Run inside `Database.change(Topic.SUBSCRIPTIONS)`. Raises Conflict when a point-to-point type
    has a subscription already, the organisation has too many, or all have too many with filters.
    """
    own = select(func.count()).where(col(SubscriptionRow.organisation) == new.organisation)
    if (await session.execute(own)).scalar_one() >= LIMIT:
        raise Conflict(f"an organisation may have {LIMIT} subscriptions: delete one first")
    if new.point_to_point:
        others = select(col(SubscriptionRow.types)).where(
            col(SubscriptionRow.point_to_point), col(SubscriptionRow.types).op("&&")(new.types)
        )
        taken = {type_ for types in (await session.scalars(others)) for type_ in types}
        for type_ in taken.intersection(new.types):
            raise Conflict(
                f"{type_} is point-to-point and has its one subscription already: let more "
                "workers read that queue instead"
            )
    await _require_room(session, new)
    session.add(_row(new))
    await session.flush()
    session.add_all(
        CursorRow(
            organisation=new.organisation,
            name=new.name,
            shard=shard,
            start=start,
            backfilled=start,
            routed=start,
            drained=start,
        )
        for shard, start in starts.items()
    )


async def _require_room(session: AsyncSession, new: Subscription) -> None:
    """Raises Conflict where one more subscription with filters does not fit."""
    if not new.filtered:
        return
    with_queue = select(SubscriptionRow).where(col(SubscriptionRow.delivery) == new.delivery.value)
    others = await session.scalars(with_queue)
    filtered = [new, *(each for each in map(subscription_of, others) if each.filtered)]
    if sum(len(each.organisation) + len(each.name) + _KEY for each in filtered) > CHOOSY_BYTES:
        raise Conflict(
            "the bus has as many queues with filters as it can serve: choose pull, stream or "
            "webhook, or leave the filters out"
        )


def _row(new: Subscription) -> SubscriptionRow:
    return SubscriptionRow(
        organisation=new.organisation,
        name=new.name,
        types=list(new.types),
        point_to_point=new.point_to_point,
        ordered=new.ordered,
        start=new.start,
        state=new.state.value,
        generation=new.generation,
        password_hash=new.password_hash,
        created=new.created,
        created_by=new.created_by,
        delivery=new.delivery.value,
        terms=msgspec.json.encode(new.terms).decode(),
        is_responder=new.is_responder,
    )


async def served(
    session: AsyncSession, types: Iterable[str], shards: Iterable[int]
) -> ShardSequences:
    """Up to where all of these point-to-point types were worked off before; 0 where never."""
    wanted = set(types)
    rows = await session.execute(
        select(PointToPointPositionRow).where(col(PointToPointPositionRow.type).in_(wanted))
    )
    found = {(row.type, row.shard): row.sequence for row in rows.scalars()}
    return {shard: min(found.get((type_, shard), 0) for type_ in wanted) for shard in shards}


async def starts(session: AsyncSession, subscription: Subscription) -> ShardSequences:
    """Above which sequence of each shard the promise holds for it."""
    rows = await session.execute(_places(subscription))
    return {row.shard: row.start for row in rows.scalars()}


async def remove(
    session: AsyncSession, subscription: Subscription, *, drained_to: ShardSequences | None
) -> None:
    """End a subscription. Run inside `Database.change(Topic.SUBSCRIPTIONS)`.

    What its point-to-point types have been worked off to is kept for the next one: `drained_to`
    if its queue was found empty, else the last places at which it was known to be empty.
    """
    row = await session.get(SubscriptionRow, subscription.key)
    if row is None:
        raise NotFound(f"there is no subscription {subscription.name}")
    if subscription.point_to_point:
        places = (await session.execute(_places(subscription))).scalars().all()
        ended = drained_to or {place.shard: place.drained for place in places}
        await _keep_served(session, subscription.types, ended)
    await session.delete(row)


async def set_password_hash(
    session: AsyncSession, subscription: Subscription, password_hash: str
) -> None:
    """Remember the hash under which the broker knows the new password."""
    row = await session.get(SubscriptionRow, subscription.key)
    if row is None:
        raise NotFound(f"there is no subscription {subscription.name}")
    row.password_hash = password_hash


async def set_terms(session: AsyncSession, subscription: Subscription, terms: Terms) -> None:
    """Change what the subscriber has chosen; in force for what is handed out from now on.

    Raises Conflict as `add` does.
    """
    row = await session.get(SubscriptionRow, subscription.key)
    if row is None:
        raise NotFound(f"there is no subscription {subscription.name}")
    changed = replace(subscription, terms=terms)
    if changed.filtered and not subscription.filtered:
        await _require_room(session, changed)
    row.terms = msgspec.json.encode(terms).decode()


async def set_paused(
    session: AsyncSession, subscription: Subscription, *, paused: bool, because: str | None = None
) -> None:
    """Hand out nothing, or go on; `because` says why, where the subscriber did not ask for it."""
    row = await session.get(SubscriptionRow, subscription.key)
    if row is None:
        raise NotFound(f"there is no subscription {subscription.name}")
    row.paused = paused
    row.pause_reason = because if paused else None


async def suspend(session: AsyncSession, subscription: Subscription, *, suspended: bool) -> None:
    """Stop a subscription that lost its right, or let it catch up once it has it again.

    Who was catching up goes on from the place it had reached: after the loss of its queue that
    lies before `routed`.
    """
    row = await session.get(SubscriptionRow, subscription.key, with_for_update=True)
    if row is None or row.generation != subscription.generation:
        return
    row.state = (SubscriptionState.SUSPENDED if suspended else SubscriptionState.CATCHING_UP).value
    row.generation += 1
    for place in (await session.execute(_places(subscription))).scalars():
        was_joined, place.joined = place.joined, False
        if subscription.bound or was_joined:
            place.backfilled = place.routed


async def _keep_served(session: AsyncSession, types: Sequence[str], ended: ShardSequences) -> None:
    for type_ in types:
        for shard, sequence in ended.items():
            await session.execute(
                insert(PointToPointPositionRow)
                .values(type=type_, shard=shard, sequence=sequence)
                .on_conflict_do_update(
                    index_elements=["type", "shard"], set_={"sequence": sequence}
                )
            )


def _places(subscription: Subscription):  # type: ignore[no-untyped-def]  # Select[tuple[...]] is unnamed
    return select(CursorRow).where(
        col(CursorRow.organisation) == subscription.organisation,
        col(CursorRow.name) == subscription.name,
    )
