"""How far each AMQP subscription is, shard by shard.

Every write names the generation it was decided in, so that a relay with an older view changes
nothing.
"""

from collections.abc import Iterable
from enum import Enum

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.subscriptions.values import (
    BackfillProgress,
    Key,
    ShardSequences,
    Subscription,
    SubscriptionCursors,
    SubscriptionState,
)

_SAME = "s.organisation = :organisation AND s.name = :name AND s.generation = :generation"
_OF_S = "c.organisation = s.organisation AND c.name = s.name"
_IN_BACKFILL = "s.state IN ('catching-up', 'diverting')"

_READ = f"""
SELECT c.backfilled, c.joined FROM subscription_cursors c JOIN subscriptions s ON {_OF_S}
WHERE {_SAME} AND {_IN_BACKFILL} AND c.shard = :shard
"""  # noqa: S608 - put together from the constants above
_SAVE = f"""
UPDATE subscription_cursors c SET backfilled = :backfilled, joined = :joined,
       routed = CASE WHEN :joined THEN greatest(c.routed, :backfilled) ELSE c.routed END
FROM subscriptions s WHERE {_OF_S} AND {_SAME} AND {_IN_BACKFILL} AND c.shard = :shard
"""  # noqa: S608
_JOINED = f"""
SELECT count(*) FILTER (WHERE c.joined), count(*)
FROM subscription_cursors c JOIN subscriptions s ON {_OF_S}
WHERE {_SAME} AND {_IN_BACKFILL}
"""  # noqa: S608
_ACTIVATE = f"""
UPDATE subscriptions s SET state = 'active', diverted = NULL
WHERE {_SAME} AND s.state = 'catching-up'
"""  # noqa: S608
_AVAILABLE = f"UPDATE subscriptions s SET unavailable = NULL WHERE {_SAME}"  # noqa: S608
_ACTIVATE_CURSORS = f"""
UPDATE subscription_cursors c SET routed = greatest(c.routed, c.backfilled)
FROM subscriptions s WHERE {_OF_S} AND {_SAME} AND s.state = 'active'
"""  # noqa: S608
_RESTART = f"""
UPDATE subscriptions s SET state = :state, generation = s.generation + 1,
       repairs = s.repairs + :repairs,
       diverted = CASE WHEN :deep THEN coalesce(s.diverted, now()) ELSE s.diverted END,
       unavailable = CASE WHEN :lost THEN NULL WHEN :unavailable THEN now() ELSE s.unavailable END
WHERE {_SAME} AND s.state <> 'suspended'
"""  # noqa: S608
_REWIND = """
UPDATE subscription_cursors SET joined = false,
       backfilled = CASE WHEN :emptied THEN drained WHEN joined OR :was_bound THEN routed
                         ELSE backfilled END
WHERE organisation = :organisation AND name = :name
"""
_RECORD = """
UPDATE subscription_cursors c
SET routed = greatest(c.routed, u.routed), drained = greatest(c.drained, u.drained)
FROM unnest(CAST(:organisations AS text[]), CAST(:names AS text[]), CAST(:generations AS int[]),
            CAST(:shards AS smallint[]), CAST(:routed AS bigint[]), CAST(:drained AS bigint[]))
     AS u(organisation, name, generation, shard, routed, drained)
JOIN subscriptions s ON s.organisation = u.organisation AND s.name = u.name
     AND s.generation = u.generation AND s.state <> 'suspended'
WHERE (s.state IN ('active', 'diverting') OR c.joined)
  AND c.organisation = u.organisation AND c.name = u.name AND c.shard = u.shard
  AND (c.routed < u.routed OR c.drained < u.drained)
"""
_CURSORS = """
SELECT organisation, name, start, backfilled, joined, routed, drained
FROM subscription_cursors WHERE shard = :shard
"""
_DRAINED = """
SELECT shard, drained FROM subscription_cursors WHERE organisation = :organisation AND name = :name
"""


async def progress(
    session: AsyncSession, subscription: Subscription, shard: int
) -> BackfillProgress | None:
    """How far a subscription is in a shard; None if it is not catching up any more."""
    row = (await session.execute(text(_READ), {**_same(subscription), "shard": shard})).first()
    return None if row is None else BackfillProgress(*row)


async def save(
    session: AsyncSession, subscription: Subscription, shard: int, to: BackfillProgress
) -> bool:
    """Save how far it has caught up. False if another generation has begun."""
    result = await session.execute(
        text(_SAVE),
        {**_same(subscription), "shard": shard, "backfilled": to.sequence, "joined": to.joined},
    )
    await session.commit()
    return bool(result.rowcount)  # type: ignore[attr-defined]  # a cursor result, as it was an UPDATE


async def joined(session: AsyncSession, subscription: Subscription) -> tuple[bool, bool]:
    """Whether some shard, and whether every shard adds its private key to the messages it sends.

    Neither if another generation has begun.
    """
    some, all_ = (await session.execute(text(_JOINED), _same(subscription))).one()
    return some > 0, some == all_ > 0


async def activate(session: AsyncSession, subscription: Subscription) -> None:
    """Its queue is bound to its types: from now on the exchange routes to it."""
    await session.execute(text(_ACTIVATE), _same(subscription))
    await session.execute(text(_ACTIVATE_CURSORS), _same(subscription))


async def queue_available(session: AsyncSession, subscription: Subscription) -> None:
    """Its queue works again: it may be filled."""
    await session.execute(text(_AVAILABLE), _same(subscription))


class RestartCause(Enum):
    """Why a subscription catches up again.

    After the loss of its queue it starts where the queue was last known to be empty; else where all
    messages were last known to be in the queue.
    """

    QUEUE_LOST = "queue lost"
    BINDING_LOST = "binding lost"
    TERMS_CHANGED = "terms changed"  # by the subscriber: nothing was lost
    QUEUE_DEEP = "queue deep"  # the journal keeps what follows until the queue has room
    QUEUE_UNAVAILABLE = "queue unavailable"  # it keeps what it holds, and confirms nothing
    DIVERTING = "diverting"  # the same in two steps: all shards join before the bindings go


async def restart(
    session: AsyncSession, subscription: Subscription, *, cause: RestartCause
) -> bool:
    """Catch up again from where delivery is known to have worked.

    False if that has begun already, or the subscription is suspended. A loss counts in `repairs`.
    """
    changes = {
        "state": (
            SubscriptionState.DIVERTING
            if cause is RestartCause.DIVERTING
            else SubscriptionState.CATCHING_UP
        ).value,
        "repairs": int(cause in (RestartCause.QUEUE_LOST, RestartCause.BINDING_LOST)),
        "deep": cause in (RestartCause.QUEUE_DEEP, RestartCause.DIVERTING),
        "lost": cause is RestartCause.QUEUE_LOST,
        "unavailable": cause is RestartCause.QUEUE_UNAVAILABLE,
    }
    result = await session.execute(text(_RESTART), {**_same(subscription), **changes})
    if not result.rowcount:  # type: ignore[attr-defined]  # a cursor result, as it was an UPDATE
        return False
    await session.execute(
        text(_REWIND),
        {
            "organisation": subscription.organisation,
            "name": subscription.name,
            "emptied": cause is RestartCause.QUEUE_LOST,
            "was_bound": subscription.bound,
        },
    )
    return True


async def cursors(session: AsyncSession, shard: int) -> dict[Key, SubscriptionCursors]:
    """The cursors of every subscription in one shard."""
    rows = await session.execute(text(_CURSORS), {"shard": shard})
    return {(row[0], row[1]): SubscriptionCursors(*row[2:]) for row in rows}


async def drained(session: AsyncSession, subscription: Subscription) -> dict[int, int]:
    """Up to which sequence of each shard its queue is known to have been emptied."""
    key = {"organisation": subscription.organisation, "name": subscription.name}
    return {row[0]: row[1] for row in await session.execute(text(_DRAINED), key)}


async def record_delivery(
    session: AsyncSession,
    delivered: Iterable[tuple[Subscription, ShardSequences, ShardSequences]],
) -> None:
    """Save how far delivery is known to have worked: (routed, drained).

    For active subscriptions, and for those that catch up in the shards that they have joined.
    """
    rows = [
        (s.organisation, s.name, s.generation, shard, routed[shard], drained.get(shard, 0))
        for s, routed, drained in delivered
        for shard in routed
    ]
    if not rows:
        return
    columns = [list(column) for column in zip(*rows, strict=True)]
    names = ("organisations", "names", "generations", "shards", "routed", "drained")
    await session.execute(text(_RECORD), dict(zip(names, columns, strict=True)))
    await session.commit()


def _same(subscription: Subscription) -> dict[str, object]:
    return {
        "organisation": subscription.organisation,
        "name": subscription.name,
        "generation": subscription.generation,
    }
