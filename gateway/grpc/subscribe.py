"""`Subscribe`: events out within the credit of the client; what settles them in."""

import asyncio
import re
import time

from gateway.base.errors import Conflict, Invalid, Malformed, NotFound
from gateway.delivery import HEARTBEAT
from gateway.grpc.client_stream import ClientStream
from gateway.grpc.context import Caller, GrpcContext
from gateway.grpc.incoming import Channel, Incoming
from gateway.grpc.outgoing import Outgoing
from gateway.grpc.settlements import SETTLING, settle
from gateway.grpc.sources import PullSource, Source, StreamSource
from gateway.grpc.window import StreamWindow
from gateway.grpc.wire.bus_pb2 import (
    Heartbeat,
    OpenSubscription,
    SubscribeRequest,
    SubscriptionDraining,
    SubscriptionOpened,
    TokenExpiring,
)
from gateway.identity import Client, Role
from gateway.subscriptions import NAME, Delivery, Subscription, register

TICK = 1.0  # seconds between two looks at heartbeats, and at the rights after a change of them


class Subscribe:
    """One call. One task reads what the client sends, another sends it events."""

    def __init__(self, context: GrpcContext, caller: Caller, client: Client) -> None:
        self._context, self._caller, self._client = context, caller, client
        self._name = ""
        self._revision = context.directories.revision
        self._checked = time.monotonic()

    async def run(self, channel: Channel) -> None:
        """Serve the call to its end.

        Raises NusabusError for what ends it, and Disconnected. What was not settled is delivered
        again.
        """
        outgoing = Outgoing(channel)

        async def warn(warning: TokenExpiring) -> None:
            await outgoing.send(token_expiring=warning)

        # One message is read while the one before is carried out.
        incoming = Incoming(SubscribeRequest, channel, StreamWindow(1, 1), self._context.stop)
        messages = ClientStream(self._context, self._caller, incoming, warn)
        try:
            source = await self._open((await messages.open()).open, outgoing)
            sending = asyncio.create_task(source.run())
            sending.add_done_callback(lambda _: incoming.close())
            try:
                await self._listen(messages, incoming, source, outgoing)
            finally:  # a batch of events that is locked is sent
                outgoing.credit.end()
                self._context.wakeups.wake((self._client.organisation, self._name))
                await asyncio.gather(sending, return_exceptions=True)
            sending.result()
            if self._context.stop:
                draining = SubscriptionDraining(position=source.position)
                await outgoing.send(draining=draining)
                await incoming.farewell()
        finally:
            incoming.close()

    async def _open(self, opening: OpenSubscription, outgoing: Outgoing) -> Source:
        self._name = opening.subscription
        subscription = await self._subscription()
        outgoing.subscription = subscription.name
        match subscription.delivery:
            case Delivery.PULL:
                if opening.after:
                    raise Invalid("A pull subscription has no positions. Leave `after` empty.")
                source: Source = PullSource(self._context, self._subscription, outgoing)
                source.require(subscription)
            case Delivery.STREAM:
                begin = await self._context.stream.begin(subscription, opening.after or None)
                source = StreamSource(self._context, subscription, begin, outgoing)
            case delivery:
                raise Conflict(
                    f"Subscription {self._name} is delivered by {delivery}. Only pull and stream "
                    "subscriptions can be received over gRPC."
                )
        await outgoing.send(opened=SubscriptionOpened(delivery=subscription.delivery))
        outgoing.credit.add(opening.credit)
        return source

    async def _listen(
        self,
        messages: ClientStream[SubscribeRequest],
        incoming: Incoming[SubscribeRequest],
        source: Source,
        outgoing: Outgoing,
    ) -> None:
        """Carry out what the client sends, until it has sent its last message or is stopped."""
        while True:
            try:
                message = await messages.next(TICK)
            except TimeoutError:
                pass
            else:
                if message is None:
                    return
                await self._carry_out(message[0], messages, outgoing)
                incoming.give_back(*message)
            if outgoing.idle >= HEARTBEAT:
                await outgoing.send(heartbeat=Heartbeat(position=source.position))
            await self._require_right(source)

    async def _carry_out(
        self,
        request: SubscribeRequest,
        messages: ClientStream[SubscribeRequest],
        outgoing: Outgoing,
    ) -> None:
        match request.WhichOneof("message"):
            case "credit":
                outgoing.credit.add(request.credit.events)
            case "renew":
                await messages.renew(request.renew, self._client)
            case kind if kind in SETTLING:
                settled = await settle(self._context.pull, await self._subscription(), request)
                await outgoing.send(settled=settled)
            case _:
                raise Malformed("Send `credit`, `renew` or what settles events after `open`.")

    async def _require_right(self, source: Source) -> None:
        """Who has lost the right is stopped at once; a subscription is looked at now and then."""
        revision = self._context.directories.revision
        if revision == self._revision and time.monotonic() - self._checked < HEARTBEAT:
            return
        self._revision, self._checked = revision, time.monotonic()
        source.require(await self._subscription())

    async def _subscription(self) -> Subscription:
        """The subscription as it is now. Raises what ends the call."""
        client = await self._caller.client()
        client.require(Role.SUBSCRIBER)
        if not re.fullmatch(NAME, self._name):
            raise NotFound("There is no such subscription.")
        async with self._context.database.session() as session:
            return await register.existing(session, client.organisation, self._name)
