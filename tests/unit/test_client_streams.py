"""The client library follows a stream: how it reads events, and how it reconnects."""

from collections.abc import AsyncIterator

import httpx
import pytest

from adapters.client import CallRetryPolicy, Problem, StreamedEvent, Streams
from adapters.client.streams import ServerSentEvent, server_sent_events
from tests.unit.client_gateway import Answer, Gateway, a_problem, a_stream

AT_ONCE = CallRetryPolicy(attempts=100, first_delay=0, longest_delay=0)


async def parsed(*chunks: bytes) -> list[ServerSentEvent]:
    async def body() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    return [each async for each in server_sent_events(body())]


async def followed(gateway: Gateway, count: int, after: str = "") -> list[StreamedEvent]:
    found: list[StreamedEvent] = []
    async with gateway.bus() as bus:
        async for event in Streams(bus, AT_ONCE).follow("mine", after=after):
            found.append(event)
            if len(found) == count:
                break
    return found


def calls(gateway: Gateway) -> list[tuple[str, str | None]]:
    return [(each.url.path, each.headers.get("last-event-id")) for each in gateway.requests]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("size", [1, 2, 3, 1000])
async def test_events_are_read_whatever_ends_their_lines(end: str, size: int) -> None:
    lines = [": welcome", "retry: 1", "", "id: 1", "data: a", "data:b", "", "event: end", "data: c"]
    body = end.join([*lines, "", "unknown: x", "id", "data", "", "data: cut off"]).encode()
    chunks = [body[at : at + size] for at in range(0, len(body), size)]
    assert await parsed(*chunks) == [
        ServerSentEvent("a\nb", "1"),
        ServerSentEvent("c", "1", "end"),
        ServerSentEvent("", ""),
    ]


async def test_only_line_breaks_of_the_format_end_a_line() -> None:
    text = "data: \u2028\x85\x0b\x0c\x1c\n\n"
    assert await parsed(text.encode()) == [ServerSentEvent("\u2028\x85\x0b\x0c\x1c")]
    assert await parsed(b"\xef\xbb\xbfdata: x\n\nid: a\0b\ndata: y\n\n") == [
        ServerSentEvent("x"),
        ServerSentEvent("y"),
    ]


async def test_an_event_is_one_line_of_json() -> None:
    gateway = Gateway(a_stream('data: {"id": "test"}', 'id: 5\ndata: {"id":\ndata: "e1"}'))
    test, event = await followed(gateway, 2)
    assert (test.position, test.text) == ("", '{"id": "test"}')
    assert (event.position, event.text) == ("5", '{"id": "e1"}')
    assert event.document == {"id": "e1"}
    assert calls(gateway) == [("/v1/subscriptions/mine/stream", None)]


@pytest.mark.parametrize(
    "break_", [httpx.ReadError("cut"), a_problem(503, "unavailable"), a_stream("event: end")]
)
async def test_a_stream_is_opened_again_after_the_last_event(break_: Answer) -> None:
    first = a_stream("id: 1\ndata: {}", "id: 2\ndata: {}", "event: end\ndata: not-authenticated")
    gateway = Gateway(first, break_, break_, a_stream("id: 3\ndata: {}"))
    assert [each.position for each in await followed(gateway, 3, after="0")] == ["1", "2", "3"]
    assert [after for _, after in calls(gateway)] == ["0", "2", "2", "2"]


async def test_a_stream_that_is_refused_ends() -> None:
    gateway = Gateway(a_stream("id: 1\ndata: {}"), a_problem(409, "conflict"))
    with pytest.raises(Problem, match="409 conflict"):
        await followed(gateway, 2)


async def test_a_reconnect_is_reported() -> None:
    gateway = Gateway(a_stream(), httpx.ReadError("cut"), a_problem(404, "not-found"))
    seen: list[Exception | None] = []
    async with gateway.bus() as bus:
        with pytest.raises(Problem):
            async for _ in Streams(bus, AT_ONCE).follow("mine", on_reconnect=seen.append):
                pass
    assert seen[0] is None
    assert isinstance(seen[1], httpx.ReadError)
