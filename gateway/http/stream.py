"""`GET /v1/subscriptions/{name}/stream`: server-sent events (WHATWG HTML, section 9.2)."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import Response, StreamingResponse
from fastapi.sse import format_sse_event
from starlette.types import Message, Send

from gateway.base.errors import NusabusError, Unavailable
from gateway.base.telemetry import log
from gateway.base.times import now, rfc3339
from gateway.delivery import Restored, StreamEvent, make_test_entry, new_test_number
from gateway.http.cloud_event import delivered
from gateway.http.context import PEER, ApiContext, Context, authenticate, become
from gateway.http.problems import responses
from gateway.http.subscriptions import Name, Subscriber
from gateway.identity import Quota
from gateway.journal import sequence_text
from gateway.subscriptions import Subscription

router = APIRouter(prefix="/v1/subscriptions", tags=["stream"])
READERS = 500  # of one process
SLOW = 30.0  # seconds in which a reader must take what was written
_readers: set["EventStream"] = set()


class EventStream(StreamingResponse):
    """Writes events as they come. Ends when the reader leaves, is too slow, or loses its right.

    FastAPI's `EventSourceResponse` has no limit for a slow reader, so this response has one. A
    reader that is cut off comes back with `Last-Event-ID` and loses nothing.
    """

    media_type = "text/event-stream"

    def __init__(
        self,
        context: ApiContext,
        subscription: Subscription,
        events: AsyncIterator[StreamEvent],
        request: Request,
        *,
        test: bool,
    ) -> None:
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        super().__init__(self._frames(events, test=test), headers=headers)
        self._context = context
        self._subscription = subscription
        self._request = request

    async def stream_response(self, send: Send) -> None:
        """Write until the events end."""

        async def send_in_time(message: Message) -> None:
            async with asyncio.timeout(SLOW):
                await send(message)

        _readers.add(self)
        try:
            await super().stream_response(send_in_time)
        except TimeoutError:
            log().warning("stream.slow_reader_dropped", subscription=self._subscription.name)
        finally:
            _readers.discard(self)

    async def _frames(
        self, events: AsyncIterator[StreamEvent], *, test: bool
    ) -> AsyncIterator[bytes]:
        yield format_sse_event(comment="welcome", retry=1000)
        try:
            if test:
                entry = make_test_entry(self._subscription.key, new_test_number(), now())
                yield self._frame(StreamEvent(entry))
            async for each in events:
                yield self._frame(each)
                if each.entry is None:
                    await self._require_right()
        except NusabusError as error:
            yield format_sse_event(event="end", data_str=error.code)

    async def _require_right(self) -> None:
        """The token must still be good, and the subscription be there, unpaused and allowed."""
        authorization = self._request.headers.get("authorization")
        peer = self._request.scope.get(PEER)
        client = await authenticate(self._context, authorization, peer)
        name = self._subscription.name
        subscription = await self._context.subscription_lifecycle.existing(
            client.organisation, name
        )
        self._context.stream.require(subscription)

    def _frame(self, streamed: StreamEvent) -> bytes:
        if streamed.restored is not None:
            return format_sse_event(
                event="restored", data_str=_restored_data(streamed.restored), id=streamed.cursor
            )
        if streamed.entry is None:
            return format_sse_event(comment="alive")
        data = delivered(streamed.entry, self._context).decode()
        return format_sse_event(data_str=data, id=streamed.cursor or None)


def _restored_data(restored: Restored) -> str:
    return json.dumps(
        {
            "incarnation": restored.incarnation,
            "began": rfc3339(restored.began),
            "lost": [
                {"first": sequence_text(shard, first), "last": sequence_text(shard, last)}
                for shard, (first, last) in sorted(restored.lost.items())
            ],
        }
    )


_EXAMPLE = """\
: welcome
retry: 1000

data: {"specversion":"1.0","id":"9f8e2c1a","source":"/dukcapil/ktp","type":"...","data":{}}
id: 5b0c6e1f92ad:42.17.0.8
"""
_STREAM: dict[str, Any] = {
    "description": "Server-sent events. The data of each is a DeliveredEvent; its id is the "
    "`Last-Event-ID` to go on from. An event named `end` says why the stream ends. One named "
    "`restored` says that the journal was restored from a backup, which sequences up to your "
    "Last-Event-ID it does not have any more, and goes on after what it has.",
    "content": {"text/event-stream": {"schema": {"type": "string"}, "example": _EXAMPLE}},
}


@router.get(
    "/{name}/stream",
    response_class=Response,
    responses={**responses(403, 404, 409, 410, 422), 200: _STREAM},
)
async def stream_events(
    name: Name,
    client: Subscriber,
    context: Context,
    request: Request,
    last_event_id: Annotated[
        str | None, Header(max_length=1500, description="The id of the last event received.")
    ] = None,
    test: Annotated[bool, Query(description="Begin with a test event, which has no id.")] = False,
) -> EventStream:
    """Follow a subscription whose delivery is `stream`. Each event is CloudEvents JSON.

    The stream goes on after `Last-Event-ID`. It ends when the access token expires: come back with
    a new one.
    """
    if len(_readers) >= READERS:
        raise Unavailable(f"{READERS} readers are connected to this process. Try again later.")
    become(request, Quota.STREAMS)
    subscription = await context.subscription_lifecycle.existing(client.organisation, name)
    cursors, restored = await context.stream.begin(subscription, last_event_id)
    events = context.stream.follow(subscription, cursors, restored)
    return EventStream(context, subscription, events, request, test=test)
