"""`GET /v1/subscriptions/{name}/stream`: server-sent events (WHATWG HTML, section 9.2)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gateway.base.errors import NusabusError, Unavailable
from gateway.base.telemetry import log
from gateway.base.times import now
from gateway.delivery import StreamEvent, make_test_entry, new_test_number
from gateway.http.cloud_event import delivered
from gateway.http.context import ApiContext, Context, authenticate
from gateway.http.subscriptions import Name, Subscriber
from gateway.subscriptions import Subscription

router = APIRouter(prefix="/v1/subscriptions", tags=["stream"])
READERS = 500  # at one process
SLOW = 30.0  # seconds in which a reader must take what was written
_readers: set["EventStream"] = set()


class EventStream(Response):
    """Writes events as they come; ends when the reader is gone, too slow, or not allowed any more.

    A reader that was cut off comes back with `Last-Event-ID` and has lost nothing.
    """

    media_type = "text/event-stream"

    def __init__(
        self,
        context: ApiContext,
        subscription: Subscription,
        events: AsyncIterator[StreamEvent],
        authorization: str | None,
        *,
        test: bool,
    ) -> None:
        super().__init__(headers={"cache-control": "no-store", "x-accel-buffering": "no"})
        del self.headers["content-length"]
        self._context = context
        self._subscription = subscription
        self._events = events
        self._authorization = authorization
        self._test = test

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Stream until one side ends it."""
        _readers.add(self)
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        writing = asyncio.create_task(self._write(send))
        leaving = asyncio.create_task(_left(receive))
        try:
            await asyncio.wait({writing, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            _readers.discard(self)
            for task in (writing, leaving):
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    async def _write(self, send: Send) -> None:
        try:
            await self._send(send, b": welcome\nretry: 1000\n\n")
            if self._test:
                entry = make_test_entry(self._subscription.key, new_test_number(), now())
                await self._send(send, self._frame(StreamEvent(entry)))
            async for each in self._events:
                await self._send(send, self._frame(each))
                if each.entry is None:
                    await self._require_right()
        except NusabusError as error:
            await self._send(send, b"event: end\ndata: %b\n\n" % error.code.encode())
        except TimeoutError:
            log().warning("stream.slow_reader_dropped", subscription=self._subscription.name)
            return
        await send({"type": "http.response.body", "body": b""})

    async def _require_right(self) -> None:
        """The token must still be good, and the subscription be there, unpaused and allowed."""
        client = await authenticate(self._context, self._authorization)
        name = self._subscription.name
        subscription = await self._context.subscription_lifecycle.existing(
            client.organisation, name
        )
        self._context.stream.require(subscription)

    async def _send(self, send: Send, data: bytes) -> None:
        async with asyncio.timeout(SLOW):
            await send({"type": "http.response.body", "body": data, "more_body": True})

    def _frame(self, streamed: StreamEvent) -> bytes:
        if streamed.entry is None:
            return b": alive\n\n"
        data = delivered(streamed.entry, self._context)
        place = b"id: %b\n" % streamed.cursor.encode() if streamed.cursor else b""
        lines = data.replace(b"\r", b"").replace(b"\n", b"\ndata: ")
        return b"%bdata: %b\n\n" % (place, lines)


@router.get("/{name}/stream", response_class=Response)
async def stream_events(
    name: Name,
    by: Subscriber,
    context: Context,
    request: Request,
    last_event_id: Annotated[str | None, Header(max_length=1500)] = None,
    test: Annotated[bool, Query(description="begin with a test event, which has no id")] = False,
) -> EventStream:
    """Follow a subscription whose delivery is `stream`, each event as CloudEvents JSON.

    Carriage returns between JSON tokens are left out, as they would end a line of the stream. Goes
    on behind `Last-Event-ID`. It ends when the token does: come back with a new one.
    """
    if len(_readers) >= READERS:
        raise Unavailable(f"{READERS} readers are connected here already: try again")
    subscription = await context.subscription_lifecycle.existing(by.organisation, name)
    places = await context.stream.begin(subscription, last_event_id)
    events = context.stream.follow(subscription, places)
    authorization = request.headers.get("authorization")
    return EventStream(context, subscription, events, authorization, test=test)


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        continue
