"""The queue of an AMQP subscription: how it is made, and how it is filled again."""

from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncSession

from gateway.base.database import Database, Topic
from gateway.broker import Broker, Management, NotOnBroker, names
from gateway.subscriptions import backfill_progress, register
from gateway.subscriptions.backfill_progress import RestartCause
from gateway.subscriptions.routing import exchange_of, private_key
from gateway.subscriptions.values import Subscription, SubscriptionState


async def provide_queue(subscription: Subscription, broker: Broker, management: Management) -> None:
    """Make the queue, its private binding and its user, as far as they are missing."""
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


async def restart_backfill(
    session: AsyncSession,
    subscription: Subscription,
    broker: Broker,
    management: Management,
    *,
    cause: RestartCause,
) -> bool:
    """Make the queue, then let the subscription catch up again. False if it is suspended.

    Run inside `Database.change(Topic.SUBSCRIPTIONS)`, with the subscription as it is in there. The
    relays must find the queue, so it comes first. It gets the private key of the generation to
    come: a message that still has the present key belongs to the backfill that ends here. If the
    queue proves lost meanwhile, that is the cause: its messages must come again.
    """
    if subscription.state is SubscriptionState.SUSPENDED:
        return False
    following = replace(subscription, generation=subscription.generation + 1)
    queue = names.queue(*subscription.key)
    try:
        await broker.bind(queue, exchange_of(subscription), private_key(following))
    except NotOnBroker:
        cause = RestartCause.QUEUE_LOST
    await provide_queue(following, broker, management)
    return await backfill_progress.restart(session, subscription, cause=cause)


async def restart_backfill_now(
    database: Database,
    subscription: Subscription,
    broker: Broker,
    management: Management,
    *,
    cause: RestartCause,
) -> bool:
    """The same in a transaction of its own; False also if it has restarted meanwhile."""
    async with database.change(Topic.SUBSCRIPTIONS) as session:
        # Read again: the password may have been renewed meanwhile.
        present = await register.find(session, *subscription.key)
        if present is None or present.generation != subscription.generation:
            return False
        return await restart_backfill(session, present, broker, management, cause=cause)
