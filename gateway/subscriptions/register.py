"""The subscriptions in the database."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

import msgspec
from sqlalchemy import func, select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from gateway.base.errors import Conflict, NotFound
from gateway.identity import Quota, require_below
from gateway.subscriptions.tables import (
    CursorRow,
    PointToPointPositionRow,
    SubscriptionRow,
    subscription_of,
)
from gateway.subscriptions.values import Key, ShardSequences, Subscription, SubscriptionState, Terms

# Of the private keys of all queues with filters. One event may be for all of them: then their keys
# are in its header, and a header must fit one frame of 128 KiB.
FILTERED_KEYS_BYTES = 64 << 10
_KEY = 25  # bytes of a private key beside the names of organisation and subscription


@dataclass(frozen=True)
class Subscriptions:
    """All subscriptions, in memory."""

    all: tuple[Subscription, ...]

    @property
    def with_queue(self) -> tuple[Subscription, ...]:
        """Those that have a queue at the broker; the journal delivers to the others."""
        return tuple(each for each in self.all if not each.journal_delivered)


async def load(session: AsyncSession) -> Subscriptions:
    """All subscriptions in their present state."""
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


async def existing(session: AsyncSession, organisation: str, name: str) -> Subscription:
    """One subscription. Raises NotFound."""
    found = await find(session, organisation, name)
    if found is None:
        raise NotFound(f"There is no subscription {name}.")
    return found


async def page(
    session: AsyncSession, organisation: str | None, *, after: Key | None, limit: int
) -> list[Subscription]:
    """Subscriptions in the order of `organisation/name`, of one organisation or of all."""
    query = select(SubscriptionRow).order_by(
        col(SubscriptionRow.organisation), col(SubscriptionRow.name)
    )
    if organisation is not None:
        query = query.where(col(SubscriptionRow.organisation) == organisation)
    if after is not None:
        query = query.where(
            tuple_(col(SubscriptionRow.organisation), col(SubscriptionRow.name)) > tuple_(*after)
        )
    rows = (await session.execute(query.limit(limit))).scalars()
    return [subscription_of(row) for row in rows]


async def add(
    session: AsyncSession, new: Subscription, positions: ShardSequences, limit: int
) -> None:
    """Store a new subscription that receives what is above these positions.

    Run inside `Database.change(Topic.SUBSCRIPTIONS)`. Raises QuotaReached if the organisation has
    `limit` already, Conflict if a point-to-point type has a subscription, or the bus too many with
    filters.
    """
    own = select(func.count()).where(col(SubscriptionRow.organisation) == new.organisation)
    present = (await session.execute(own)).scalar_one()
    require_below(Quota.SUBSCRIPTIONS, limit, present, "Delete one first.")
    if new.point_to_point:
        others = select(col(SubscriptionRow.types)).where(
            col(SubscriptionRow.point_to_point), col(SubscriptionRow.types).op("&&")(new.types)
        )
        taken = {type_ for types in (await session.scalars(others)) for type_ in types}
        for type_ in taken.intersection(new.types):
            raise Conflict(
                f"{type_} is point-to-point and has its one subscription already. Let more "
                "consumers read that queue instead."
            )
    await _require_filter_capacity(session, new)
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
        for shard, start in positions.items()
    )


async def _require_filter_capacity(session: AsyncSession, new: Subscription) -> None:
    """Raises Conflict if the bus has no capacity for another queue with filters."""
    if not new.filtered:
        return
    with_queue = select(SubscriptionRow).where(col(SubscriptionRow.delivery) == new.delivery.value)
    others = await session.scalars(with_queue)
    filtered = [new, *(each for each in map(subscription_of, others) if each.filtered)]
    if (
        sum(len(each.organisation) + len(each.name) + _KEY for each in filtered)
        > FILTERED_KEYS_BYTES
    ):
        raise Conflict(
            "The bus cannot have more queues with filters. Choose pull, stream or webhook, or omit "
            "the filters."
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
        password_client=new.password_by.client,
        password_credential=new.password_by.id,
        created=new.created,
        created_by=new.created_by,
        delivery=new.delivery.value,
        terms=msgspec.json.encode(new.terms).decode(),
        is_responder=new.is_responder,
    )


async def delivered_positions(
    session: AsyncSession, types: Iterable[str], shards: Iterable[int]
) -> ShardSequences:
    """Up to where earlier subscriptions have had all of these point-to-point types; 0 if none."""
    wanted = set(types)
    rows = await session.execute(
        select(PointToPointPositionRow).where(col(PointToPointPositionRow.type).in_(wanted))
    )
    found = {(row.type, row.shard): row.sequence for row in rows.scalars()}
    return {shard: min(found.get((type_, shard), 0) for type_ in wanted) for shard in shards}


async def start_positions(session: AsyncSession, subscription: Subscription) -> ShardSequences:
    """After which sequence of each shard it started."""
    rows = await session.execute(_cursors(subscription))
    return {row.shard: row.start for row in rows.scalars()}


async def remove(
    session: AsyncSession, subscription: Subscription, *, drained_to: ShardSequences | None
) -> None:
    """End a subscription. Run inside `Database.change(Topic.SUBSCRIPTIONS)`.

    How far its point-to-point types were delivered is kept for the next one: `drained_to` if its
    queue was found empty, else the positions at which it was last known to be empty.
    """
    row = await _existing(session, subscription)
    if subscription.point_to_point:
        cursors = (await session.execute(_cursors(subscription))).scalars().all()
        ended = drained_to or {cursor.shard: cursor.drained for cursor in cursors}
        await _keep_positions(session, subscription.types, ended)
    await session.delete(row)


async def set_password(session: AsyncSession, renewed: Subscription) -> None:
    """Keep the hash of the new password, as the broker has it, and who asked for it."""
    row = await _existing(session, renewed)
    row.password_hash = renewed.password_hash
    row.password_client, row.password_credential = renewed.password_by


async def set_terms(session: AsyncSession, subscription: Subscription, terms: Terms) -> None:
    """Change the terms; they apply to what is delivered from now on.

    Raises Conflict as `add` does.
    """
    row = await _existing(session, subscription)
    changed = replace(subscription, terms=terms)
    if changed.filtered and not subscription.filtered:
        await _require_filter_capacity(session, changed)
    row.terms = msgspec.json.encode(terms).decode()


async def set_paused(
    session: AsyncSession, subscription: Subscription, *, paused: bool, because: str | None = None
) -> None:
    """Stop to hand out events, or go on; `because` is the reason if the gateway stops it."""
    row = await _existing(session, subscription)
    row.paused = paused
    row.pause_reason = because if paused else None


async def suspend(session: AsyncSession, subscription: Subscription, *, suspended: bool) -> None:
    """Suspend a subscription that lost its right, or let it catch up once it has it again.

    One that was catching up goes on from where it was: after the loss of its queue that is before
    `routed`.
    """
    row = await session.get(SubscriptionRow, subscription.key, with_for_update=True)
    if row is None or row.generation != subscription.generation:
        return
    row.state = (SubscriptionState.SUSPENDED if suspended else SubscriptionState.CATCHING_UP).value
    row.generation += 1
    for cursor in (await session.execute(_cursors(subscription))).scalars():
        was_joined, cursor.joined = cursor.joined, False
        if subscription.bound or was_joined:
            cursor.backfilled = cursor.routed


async def _existing(session: AsyncSession, subscription: Subscription) -> SubscriptionRow:
    row = await session.get(SubscriptionRow, subscription.key)
    if row is None:
        raise NotFound(f"There is no subscription {subscription.name}.")
    return row


async def _keep_positions(
    session: AsyncSession, types: Sequence[str], ended: ShardSequences
) -> None:
    for type_ in types:
        for shard, sequence in ended.items():
            await session.execute(
                insert(PointToPointPositionRow)
                .values(type=type_, shard=shard, sequence=sequence)
                .on_conflict_do_update(
                    index_elements=["type", "shard"], set_={"sequence": sequence}
                )
            )


def _cursors(subscription: Subscription):  # type: ignore[no-untyped-def]  # Select[tuple[...]] is unnamed
    return select(CursorRow).where(
        col(CursorRow.organisation) == subscription.organisation,
        col(CursorRow.name) == subscription.name,
    )
