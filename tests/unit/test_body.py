"""Bodies of requests, within a size and a time."""

import asyncio

import pytest
from starlette.types import Message, Receive

from gateway.base.errors import Malformed, RequestTimeout, TooLarge
from gateway.base.settings import Settings
from gateway.http import body
from tests.servers import SECRET_KEY

SETTINGS = Settings.parse(
    {
        "NUSABUS_DATABASE_URL": "postgresql://unused",
        "NUSABUS_AMQP_URL": "amqp://unused",
        "NUSABUS_SECRET_KEY": SECRET_KEY,
    }
)


def settings(**changes: float) -> Settings:
    return SETTINGS.model_copy(update=changes)


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
    assert await body.read([], receive, 8, SETTINGS) == b"satu dua"


async def test_a_declared_size_over_the_limit_is_refused_unread() -> None:
    with pytest.raises(TooLarge, match="8 bytes"):
        await body.read([(b"content-length", b"9")], receiving(), 8, SETTINGS)


async def test_an_undeclared_size_over_the_limit_is_refused() -> None:
    receive = receiving(part(b"satu ", more=True), part(b"dua tiga", more=True))
    with pytest.raises(TooLarge):
        await body.read([], receive, 8, SETTINGS)


async def test_a_connection_that_ends_is_told() -> None:
    receive = receiving(part(b"satu", more=True), {"type": "http.disconnect"})
    with pytest.raises(Malformed):
        await body.read([], receive, 8, SETTINGS)


async def test_a_body_that_stalls_is_given_up() -> None:
    with pytest.raises(RequestTimeout):
        await body.read([], receiving(part(b"satu", more=True)), 8, settings(body_seconds=0.01))


async def test_a_body_that_trickles_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """However often something comes: what counts is how much."""
    monkeypatch.setattr(body, "START", 0.05)

    async def receive() -> Message:
        await asyncio.sleep(0.001)
        return part(b"x", more=True)

    with pytest.raises(RequestTimeout, match="100000 bytes a second"):
        await body.read([], receive, 1 << 20, settings(body_rate=100_000))


async def test_a_body_that_is_fast_enough_has_the_whole_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(body, "START", 0.0)
    receive = receiving(*[part(b"satu", more=True)] * 9, part(b"", more=False))
    assert len(await body.read([], receive, 40, settings(body_rate=1))) == 36


async def test_what_was_read_is_handed_on_once() -> None:
    again = body.replayed(b"satu", receiving({"type": "http.disconnect"}))
    assert await again() == part(b"satu", more=False)
    assert await again() == {"type": "http.disconnect"}
