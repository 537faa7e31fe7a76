"""A bound on what a stranger can send to any route."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.errors import TooLarge
from gateway.http import problems

BODY_LIMIT = 64 << 10  # bytes; the publish route has limits of its own


class BodyLimit:
    """ASGI middleware: refuses a larger body as soon as that is known."""

    def __init__(self, app: ASGIApp, *, beside: str) -> None:
        self._app = app
        self._beside = beside

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, its body counted."""
        if scope["type"] != "http" or scope["path"] == self._beside:
            await self._app(scope, receive, send)
            return
        too_large = TooLarge(f"a body may have {BODY_LIMIT} bytes here")
        if any(
            name == b"content-length" and int(value) > BODY_LIMIT
            for name, value in scope["headers"]
        ):
            await problems.response(too_large)(scope, receive, send)
            return
        size = 0

        async def counted() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > BODY_LIMIT:
                raise too_large
            return message

        await self._app(scope, counted, send)
