"""Request bodies: read whole, within a size and a time."""

import asyncio
from collections.abc import Sequence
from typing import Annotated

from fastapi import Depends, Request
from starlette.types import Message, Receive

from gateway.base.errors import Malformed, RequestTimeout, TooLarge
from gateway.base.settings import Settings

START = 10.0  # seconds before the minimum rate counts


async def read(
    headers: Sequence[tuple[bytes, bytes]], receive: Receive, limit: int, settings: Settings
) -> bytes:
    """The body as received.

    Raises TooLarge before more than the limit is in memory, RequestTimeout if it is too slow,
    Malformed if the connection ends first.
    """
    if declared_size(headers) > limit:
        raise _too_large(limit)
    try:
        async with asyncio.timeout(min(START, settings.body_seconds)) as deadline:
            return await _whole(receive, limit, deadline, settings)
    except TimeoutError:
        raise RequestTimeout(
            f"The body must arrive within {settings.body_seconds:g} seconds, and with "
            f"{settings.body_rate} bytes a second on average."
        ) from None


async def raw_body(request: Request) -> bytes:
    """A dependency: the body as received."""
    return await request.body()


RawBody = Annotated[bytes, Depends(raw_body)]


def declared_size(headers: Sequence[tuple[bytes, bytes]]) -> int:
    """The Content-Length, which the server has checked to be digits; 0 without one."""
    return next((int(value) for name, value in headers if name == b"content-length"), 0)


def replayed(body: bytes, receive: Receive) -> Receive:
    """A Receive that hands out a body that has been read already."""
    waiting = [True]

    async def again() -> Message:
        if waiting:
            waiting.clear()
            return {"type": "http.request", "body": body, "more_body": False}
        return await receive()

    return again


async def _whole(
    receive: Receive, limit: int, deadline: asyncio.Timeout, settings: Settings
) -> bytes:
    parts: list[bytes] = []
    size = 0
    began = asyncio.get_running_loop().time()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Malformed("The connection ended within the body.")
        part = message.get("body", b"")
        size += len(part)
        if size > limit:
            raise _too_large(limit)
        parts.append(part)
        if not message.get("more_body"):
            return parts[0] if len(parts) == 1 else b"".join(parts)
        seconds = START + size / settings.body_rate
        deadline.reschedule(began + min(seconds, settings.body_seconds))


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"The body is larger than {limit} bytes. Send less.")
