"""How far subscriptions have come, shard by shard.

Every write names the generation it was decided in, so that what a replaced relay still believes
changes nothing.
"""

from collections.abc import Iterable, Mapping
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
_PLACE = "p.organisation = s.organisation AND p.name = s.name"
_LEADS_ACT = "s.state IN ('catching-up', 'diverting')"

_READ = f"""
SELECT p.backfilled, p.joined FROM subscription_cursors p JOIN subscriptions s ON {_PLACE}
WHERE {_SAME} AND {_LEADS_ACT} AND p.shard = :shard
"""  # noqa: S608 - put together from the constants above
_MOVE = f"""
UPDATE subscription_cursors p SET backfilled = :position, joined = :joined,
       routed = CASE WHEN :joined THEN greatest(p.routed, :position) ELSE p.routed END
FROM subscriptions s WHERE {_PLACE} AND {_SAME} AND {_LEADS_ACT} AND p.shard = :shard
"""  # noqa: S608
_JOINED = f"""
SELECT count(*) FILTER (WHERE p.joined), count(*)
FROM subscription_cursors p JOIN subscriptions s ON {_PLACE}
WHERE {_SAME} AND {_LEADS_ACT}
"""  # noqa: S608
_ACTIVATE = f"""
UPDATE subscriptions s SET state = 'active', diverted = NULL
WHERE {_SAME} AND s.state = 'catching-up'
"""  # noqa: S608
_ACTIVATE_PLACES = f"""
UPDATE subscription_cursors p SET routed = greatest(p.routed, p.backfilled)
FROM subscriptions s WHERE {_PLACE} AND {_SAME} AND s.state = 'active'
"""  # noqa: S608
_BEGIN_AGAIN = f"""
UPDATE subscriptions s SET state = :state, generation = s.generation + 1,
       repairs = s.repairs + :repairs,
       diverted = CASE WHEN :deep THEN coalesce(s.diverted, now()) ELSE s.diverted END
WHERE {_SAME} AND s.state <> 'suspended'
"""  # noqa: S608
_REWIND = """
UPDATE subscription_cursors SET joined = false,
       backfilled = CASE WHEN :emptied THEN drained WHEN joined OR :was_bound THEN routed
                         ELSE backfilled END
WHERE organisation = :organisation AND name = :name
"""
_MARK = """
UPDATE subscription_cursors p
SET routed = greatest(p.routed, u.routed), drained = greatest(p.drained, u.drained)
FROM unnest(CAST(:organisations AS text[]), CAST(:names AS text[]), CAST(:generations AS int[]),
            CAST(:shards AS smallint[]), CAST(:routed AS bigint[]), CAST(:drained AS bigint[]))
     AS u(organisation, name, generation, shard, routed, drained)
JOIN subscriptions s ON s.organisation = u.organisation AND s.name = u.name
     AND s.generation = u.generation AND s.state <> 'suspended'
WHERE (s.state IN ('active', 'diverting') OR p.joined)
  AND p.organisation = u.organisation AND p.name = u.name AND p.shard = u.shard
  AND (p.routed < u.routed OR p.drained < u.drained)
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
    """How far it has caught up in a shard; None when it is not catching up any more."""
    row = (await session.execute(text(_READ), {**_same(subscription), "shard": shard})).first()
    return None if row is None else BackfillProgress(*row)


async def move(
    session: AsyncSession, subscription: Subscription, shard: int, to: BackfillProgress
) -> bool:
    """Note how far it has caught up. False when another generation has begun."""
    result = await session.execute(
        text(_MOVE),
        {**_same(subscription), "shard": shard, "position": to.position, "joined": to.joined},
    )
    await session.commit()
    return bool(result.rowcount)  # type: ignore[attr-defined]  # a cursor result, as it was an UPDATE


async def joined(session: AsyncSession, subscription: Subscription) -> tuple[bool, bool]:
    """Whether some shard, and whether every shard adds its queue to what it sends.

    Neither, where another generation has begun.
    """
    some, all_ = (await session.execute(text(_JOINED), _same(subscription))).one()
    return some > 0, some == all_ > 0


async def activate(session: AsyncSession, subscription: Subscription) -> None:
    """Its queue is bound to its types: from here the exchange serves it."""
    await session.execute(text(_ACTIVATE), _same(subscription))
    await session.execute(text(_ACTIVATE_PLACES), _same(subscription))


class Cause(Enum):
    """Why a subscription catches up again.

    After the loss of the queue with what it held it starts at the last place at which the queue
    was known to be empty; else at the last one up to which all was known to be in the queue.
    """

    QUEUE_LOST = "queue lost"
    WAY_LOST = "way lost"
    CHANGED = "changed"  # by the subscriber: nothing was amiss
    DEEP = "deep"  # the queue is: what follows stays in the journal until there is room for it
    DIVERTING = "diverting"  # the same in two steps: the leads join before the bindings go


async def begin_again(session: AsyncSession, subscription: Subscription, *, cause: Cause) -> bool:
    """Catch up again from where delivery is known to have worked. False if that has begun already.

    Nothing begins for a suspended subscription either. A loss is counted in `repairs`.
    """
    facts = {
        "state": (
            SubscriptionState.DIVERTING
            if cause is Cause.DIVERTING
            else SubscriptionState.CATCHING_UP
        ).value,
        "repairs": int(cause in (Cause.QUEUE_LOST, Cause.WAY_LOST)),
        "deep": cause in (Cause.DEEP, Cause.DIVERTING),
    }
    result = await session.execute(text(_BEGIN_AGAIN), {**_same(subscription), **facts})
    if not result.rowcount:  # type: ignore[attr-defined]  # a cursor result, as it was an UPDATE
        return False
    await session.execute(
        text(_REWIND),
        {
            "organisation": subscription.organisation,
            "name": subscription.name,
            "emptied": cause is Cause.QUEUE_LOST,
            "was_bound": subscription.bound,
        },
    )
    return True


async def cursors(session: AsyncSession, shard: int) -> dict[Key, SubscriptionCursors]:
    """How every subscription stands in one shard."""
    rows = await session.execute(text(_CURSORS), {"shard": shard})
    return {(row[0], row[1]): SubscriptionCursors(*row[2:]) for row in rows}


async def drained(session: AsyncSession, subscription: Subscription) -> dict[int, int]:
    """Per shard, up to where its queue is known to have been emptied."""
    key = {"organisation": subscription.organisation, "name": subscription.name}
    return {row[0]: row[1] for row in await session.execute(text(_DRAINED), key)}


async def mark(
    session: AsyncSession,
    marks: Iterable[tuple[Subscription, ShardSequences, ShardSequences]],
) -> None:
    """Note how far delivery is known to have worked: (routed, drained).

    That is of active subscriptions, and of those catching up in the shards that they have joined.
    """
    rows = [
        (s.organisation, s.name, s.generation, shard, routed[shard], drained.get(shard, 0))
        for s, routed, drained in marks
        for shard in routed
    ]
    if not rows:
        return
    columns = [list(column) for column in zip(*rows, strict=True)]
    names = ("organisations", "names", "generations", "shards", "routed", "drained")
    await session.execute(text(_MARK), dict(zip(names, columns, strict=True)))
    await session.commit()


def _same(subscription: Subscription) -> Mapping[str, object]:
    return {
        "organisation": subscription.organisation,
        "name": subscription.name,
        "generation": subscription.generation,
    }


__all__ = [
    "Cause",
    "Key",
    "activate",
    "begin_again",
    "joined",
    "mark",
    "move",
    "progress",
]
