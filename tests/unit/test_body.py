"""Bodies of requests, within a size and a time."""

import asyncio

import pytest
from starlette.types import Message, Receive

from gateway.base.errors import Malformed, RequestTimeout, TooLarge
from gateway.http import body


def receiving(*messages: Message) -> Receive:
    """What a server hands out; after the last it hands out nothing more."""
    left = list(messages)

    async def receive() -> Message:
        if not left:
            await asyncio.Event().wait()
        return left.pop(0)

    return receive


def part(data: bytes, *, more: bool) -> Message:
    return {"type": "http.request", "body": data, "more_body": more}


async def test_parts_are_joined() -> None:
    receive = receiving(part(b"satu ", more=True), part(b"dua", more=False))
    assert await body.read([], receive, 8) == b"satu dua"


async def test_a_declared_size_over_the_limit_is_refused_unread() -> None:
    with pytest.raises(TooLarge, match="8 bytes"):
        await body.read([(b"content-length", b"9")], receiving(), 8)


async def test_an_undeclared_size_over_the_limit_is_refused() -> None:
    receive = receiving(part(b"satu ", more=True), part(b"dua tiga", more=True))
    with pytest.raises(TooLarge):
        await body.read([], receive, 8)


async def test_a_connection_that_ends_is_told() -> None:
    receive = receiving(part(b"satu", more=True), {"type": "http.disconnect"})
    with pytest.raises(Malformed):
        await body.read([], receive, 8)


async def test_a_body_that_stalls_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "SECONDS", 0.01)
    with pytest.raises(RequestTimeout):
        await body.read([], receiving(part(b"satu", more=True)), 8)


async def test_what_was_read_is_handed_on_once() -> None:
    again = body.replayed(b"satu", receiving({"type": "http.disconnect"}))
    assert await again() == part(b"satu", more=False)
    assert await again() == {"type": "http.disconnect"}
