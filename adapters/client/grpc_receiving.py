"""The calls of one receiver over gRPC, one after the other: what has come, and what is asked."""

import asyncio
import json
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import grpc

from adapters.client.grpc_channel import SERVICE, AccessToken, metadata
from adapters.client.grpc_events import to_text
from adapters.client.wire import bus_pb2 as messages

METHOD = f"{SERVICE}/Subscribe"
_LOST = (grpc.aio.AioRpcError, asyncio.InvalidStateError)  # what writing raises once a call ended


@dataclass(frozen=True, slots=True)
class DeliveredEvent:
    """One event, in its CloudEvents JSON format on one line.

    Of a `stream` subscription, `position` is what to go on after. Of a `pull` subscription, `token`
    settles this attempt, until the lock ends.
    """

    text: str
    position: str = ""
    token: str = ""
    attempt: int = 0
    locked_until: datetime | None = None

    @property
    def document(self) -> dict[str, Any]:
        """The event as a dictionary."""
        found: dict[str, Any] = json.loads(self.text)
        return found

    @classmethod
    def of(cls, delivery: messages.Delivery) -> "DeliveredEvent":
        """The event in a delivery."""
        until = delivery.locked_until.ToDatetime(UTC) if delivery.token else None
        text = to_text(delivery.event)
        return cls(text, delivery.position, delivery.token, delivery.attempt, until)


class ReceivingCalls:
    """One call after the other: what was received, and what is asked and not answered."""

    def __init__(
        self,
        subscription: str,
        after: str,
        credit: int,
        access_token: AccessToken,
        on_restored: Callable[[dict[str, Any]], None],
    ) -> None:
        self.events: deque[DeliveredEvent] = deque()
        self.arrived = asyncio.Event()
        self.alive = False
        """Whether the gateway has opened the last call."""
        self._subscription, self._after, self._credit = subscription, after, credit
        self._access_token, self._on_restored = access_token, on_restored
        self._taken = 0  # since credit was given last
        self._asked: deque[
            tuple[messages.SubscribeRequest, asyncio.Future[messages.Settled | None]]
        ] = deque()
        self._sending = asyncio.Lock()  # one message at a time
        self._call: Any = None

    async def run(self, channel: grpc.aio.Channel) -> None:
        """Receive until the call ends."""
        self.alive, self._taken = False, 0
        call: Any = channel.stream_stream(
            METHOD,
            request_serializer=messages.SubscribeRequest.SerializeToString,
            response_deserializer=messages.SubscribeResponse.FromString,
        )(metadata=await metadata(self._access_token))
        try:
            left = max(0, self._credit - len(self.events))
            opening = messages.OpenSubscription(
                subscription=self._subscription, credit=left, after=self._after
            )
            with suppress(asyncio.InvalidStateError):  # it has ended: reading says why
                await call.write(messages.SubscribeRequest(open=opening))
            while (message := await call.read()) is not grpc.aio.EOF:
                if message.WhichOneof("message") == "draining":  # the last message
                    break
                await self._read(call, message)
        finally:
            self._call = None
            call.cancel()

    async def take(self) -> DeliveredEvent:
        """The next event that has come; the gateway may send more for it."""
        event = self.events.popleft()
        self._taken += 1
        if self._taken >= max(1, self._credit // 2):
            credit = messages.Credit(events=self._taken)
            self._taken = 0
            await self._send(messages.SubscribeRequest(credit=credit))
        return event

    async def ask(self, request: messages.SubscribeRequest) -> messages.Settled | None:
        """Settle: in the present call, or in the next one. None after the end."""
        answer: asyncio.Future[messages.Settled | None] = asyncio.Future()
        async with self._sending:
            self._asked.append((request, answer))
            await self._write(request)
        return await answer

    def end(self) -> None:
        """There is no further call."""
        for _, answer in self._asked:
            if not answer.done():
                answer.set_result(None)

    async def _read(self, call: Any, message: messages.SubscribeResponse) -> None:
        match message.WhichOneof("message"):
            case "opened":
                async with self._sending:
                    self._call, self.alive = call, True
                    for request, _ in self._asked:  # asked before, and not answered
                        await self._write(request)
            case "deliveries":
                new = [DeliveredEvent.of(each) for each in message.deliveries.deliveries]
                self._after = new[-1].position
                self.events.extend(new)
                self.arrived.set()
            case "settled":
                _, answer = self._asked.popleft()
                if not answer.done():
                    answer.set_result(message.settled)
            case "heartbeat":
                self._after = message.heartbeat.position or self._after
            case "restored":
                self._after = message.restored.position
                self._on_restored(_restored(message.restored))
            case "token_expiring":
                token = await self._access_token()
                renewal = messages.RenewToken(access_token=token)
                await self._send(messages.SubscribeRequest(renew=renewal))

    async def _send(self, request: messages.SubscribeRequest) -> None:
        async with self._sending:
            await self._write(request)

    async def _write(self, request: messages.SubscribeRequest) -> None:
        """Send it in the present call. That the call has ended is noticed by what reads."""
        if self._call is not None:
            with suppress(*_LOST):
                await self._call.write(request)


def _restored(restored: messages.Restored) -> dict[str, Any]:
    """As the stream over HTTP tells it."""
    return {
        "incarnation": restored.incarnation,
        "began": restored.began.ToJsonString(),
        "lost": [{"first": each.first, "last": each.last} for each in restored.lost],
    }
