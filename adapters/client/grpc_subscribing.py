"""Receive the events of a subscription over gRPC, in calls that follow each other by themselves."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable
from functools import partial
from typing import Any, Self

import grpc
import httpx

from adapters.client.call_retry import CallRetryPolicy, is_unknown
from adapters.client.grpc_channel import AccessToken, open_channel, problem_of
from adapters.client.grpc_receiving import DeliveredEvent, ReceivingCalls
from adapters.client.problem import Problem
from adapters.client.streams import RECONNECT, StreamedEvent
from adapters.client.tls import Tls
from adapters.client.wire import bus_pb2 as messages

CREDIT = 200  # events that have come and were not taken, at most
MOST = 1000  # tokens in one message


class Subscriber:
    """Receives over gRPC at one address, as one client."""

    def __init__(
        self,
        address: str,
        access_token: AccessToken,
        *,
        tls: Tls | bool = True,
        retry: CallRetryPolicy = RECONNECT,
    ) -> None:
        """`address` is host:port, `access_token` that of a Nusabus; `tls` as in `open_channel`."""
        self._address, self._access_token, self._tls = address, access_token, tls
        self._retry = retry

    def receive(
        self,
        subscription: str,
        *,
        after: str = "",
        credit: int = CREDIT,
        on_reconnect: Callable[[Exception | None], None] = lambda _: None,
        on_restored: Callable[[dict[str, Any]], None] = lambda _: None,
    ) -> "Receiver":
        """Receive a subscription: `async with ... as events: async for event in events:`.

        At most `credit` events are held here. A call that breaks, or ends with its process, is
        followed by another one, so no event is missed: those of a `stream` come once, those of a
        `pull` subscription again unless they were settled. `on_reconnect` is called with each
        failure, and with None for a call that just ended; `on_restored` as by `Streams.follow`.
        """
        calls = ReceivingCalls(subscription, after, credit, self._access_token, on_restored)
        return Receiver(
            calls, partial(open_channel, self._address, self._tls), self._retry, on_reconnect
        )

    async def follow(
        self,
        subscription: str,
        *,
        after: str = "",
        on_reconnect: Callable[[Exception | None], None] = lambda _: None,
        on_restored: Callable[[dict[str, Any]], None] = lambda _: None,
    ) -> AsyncGenerator[StreamedEvent, None]:
        """The events of a `stream` subscription, as `Streams.follow` yields them."""
        receiving = self.receive(
            subscription, after=after, on_reconnect=on_reconnect, on_restored=on_restored
        )
        async with receiving as events:
            async for event in events:
                yield StreamedEvent(event.position, event.text)


class Receiver:
    """The events of one subscription, and what settles them.

    Settling returns the tokens that settled nothing: of events that were settled before, or are
    delivered again. All of it raises Problem for a failure that trying again does not mend.
    """

    def __init__(
        self,
        calls: ReceivingCalls,
        open_channel: Callable[[], grpc.aio.Channel],
        retry: CallRetryPolicy,
        on_reconnect: Callable[[Exception | None], None],
    ) -> None:
        self._calls, self._open_channel, self._retry = calls, open_channel, retry
        self._on_reconnect = on_reconnect
        self._running: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._running = asyncio.create_task(self._run())
        self._running.add_done_callback(lambda _: self._calls.arrived.set())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> DeliveredEvent:
        while not self._calls.events:
            self._raise_failure()
            self._calls.arrived.clear()
            await self._calls.arrived.wait()
        return await self._calls.take()

    async def acknowledge(self, *events: DeliveredEvent) -> list[str]:
        """Settle events as done."""
        return await self._settle(
            events, lambda tokens: {"acknowledge": messages.Acknowledge(tokens=tokens)}
        )

    async def reject(self, *events: DeliveredEvent, reason: str = "") -> list[str]:
        """Give events up: they become dead letters."""
        return await self._settle(
            events, lambda tokens: {"reject": messages.Reject(tokens=tokens, reason=reason)}
        )

    async def release(
        self, *events: DeliveredEvent, delay: float = 0, reason: str = ""
    ) -> list[str]:
        """Give events back, to be delivered again after `delay` seconds."""

        def message(tokens: list[str]) -> dict[str, Any]:
            release = messages.Release(tokens=tokens, reason=reason)
            release.delay.FromMilliseconds(round(delay * 1000))
            return {"release": release}

        return await self._settle(events, message)

    async def renew(self, *events: DeliveredEvent, seconds: float = 60) -> list[str]:
        """Keep events longer: their locks end `seconds` from now."""

        def message(tokens: list[str]) -> dict[str, Any]:
            renewal = messages.RenewLocks(tokens=tokens)
            renewal.duration.FromMilliseconds(round(seconds * 1000))
            return {"renew_locks": renewal}

        return await self._settle(events, message)

    async def _settle(
        self, events: Iterable[DeliveredEvent], message: Callable[[list[str]], dict[str, Any]]
    ) -> list[str]:
        tokens = [each.token for each in events]
        gone: list[str] = []
        for first in range(0, len(tokens), MOST):
            self._raise_failure()
            asked = messages.SubscribeRequest(**message(tokens[first : first + MOST]))
            answer = await self._calls.ask(asked)
            if answer is None:
                self._raise_failure()
                raise asyncio.CancelledError
            gone += answer.gone
        return gone

    def _raise_failure(self) -> None:
        if self._running is not None and self._running.done():
            self._running.result()
            raise asyncio.InvalidStateError("The receiver is closed.")

    async def _run(self) -> None:
        try:
            async with self._open_channel() as channel:
                await self._call_again_and_again(channel)
        finally:
            self._calls.end()

    async def _call_again_and_again(self, channel: grpc.aio.Channel) -> None:
        failed = 0
        while True:
            error: Exception | None = None
            try:
                await self._calls.run(channel)
            except (Problem, httpx.TransportError) as caught:  # there is no token
                error = caught
            except grpc.aio.AioRpcError as caught:
                error = problem_of(caught)
            failed = 1 if self._calls.alive else failed + 1
            expired = isinstance(error, Problem) and error.status == httpx.codes.UNAUTHORIZED
            if error is not None and not is_unknown(error) and not (expired and self._calls.alive):
                raise error
            self._on_reconnect(error)
            delay = self._retry.delay(failed, error or httpx.ReadError("ended"))
            await asyncio.sleep(delay or 0)
