"""The queue of an AMQP subscription: how it is made, what is bound to it, how it is filled anew."""

from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncSession

from gateway.base.database import Database, Topic
from gateway.broker import Broker, Management, NotOnBroker, names
from gateway.subscriptions import Subscription, SubscriptionState, backfill_progress, register
from gateway.subscriptions.routing import exchange_of, private_key


async def provide(subscription: Subscription, broker: Broker, management: Management) -> None:
    """Make sure of the queue, its private binding and the user that reads it."""
    queue = names.queue(*subscription.key)
    await broker.declare_queue(
        queue, ordered=subscription.ordered, max_age=subscription.terms.max_age
    )
    await broker.bind(queue, exchange_of(subscription), private_key(subscription))
    await management.provide_user(
        names.user(queue),
        subscription.password_hash,
        queue=queue,
        replies=subscription.is_responder,
    )


async def begin_again(
    session: AsyncSession,
    subscription: Subscription,
    broker: Broker,
    management: Management,
    *,
    cause: backfill_progress.Cause,
) -> bool:
    """Make the queue, then catch up: whoever joins must find it there. False where it is suspended.

    Run inside `Database.change(Topic.SUBSCRIPTIONS)`, with the subscription as it is in there. The
    queue gets the key of the generation to come: what still goes by the present one was meant for
    what ends here. If the queue proves lost meanwhile, that is the cause: what it held is to come
    again.
    """
    if subscription.state is SubscriptionState.SUSPENDED:
        return False
    following = replace(subscription, generation=subscription.generation + 1)
    queue = names.queue(*subscription.key)
    try:
        await broker.bind(queue, exchange_of(subscription), private_key(following))
    except NotOnBroker:
        cause = backfill_progress.Cause.QUEUE_LOST
    await provide(following, broker, management)
    return await backfill_progress.begin_again(session, subscription, cause=cause)


async def begin_again_now(
    database: Database,
    subscription: Subscription,
    broker: Broker,
    management: Management,
    *,
    cause: backfill_progress.Cause,
) -> bool:
    """The same as a change of its own; False as well where it has begun again meanwhile."""
    async with database.change(Topic.SUBSCRIPTIONS) as session:
        # With the password as it is now: it may have been renewed since somebody looked.
        present = await register.find(session, *subscription.key)
        if present is None or present.generation != subscription.generation:
            return False
        return await begin_again(session, present, broker, management, cause=cause)
