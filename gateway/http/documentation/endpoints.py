"""The two public documents: made once, in a thread, and never for each request."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse

from gateway.http.documentation.page import render

DOCUMENT, PAGE = "/openapi.json", "/docs"


@dataclass(slots=True)
class _Documentation:
    """Both as bytes. To make them takes up to a second: a stranger may ask as often as he likes."""

    openapi: Callable[[], dict[str, Any]]
    _made: tuple[bytes, bytes] | None = None
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def document(self, _: Request) -> Response:
        """The OpenAPI document."""
        return Response((await self._both())[0], media_type=JSONResponse.media_type)

    async def page(self, _: Request) -> Response:
        """The same for people."""
        return HTMLResponse((await self._both())[1])

    async def _both(self) -> tuple[bytes, bytes]:
        async with self._turn:
            if self._made is None:
                self._made = await asyncio.to_thread(self._make)
        return self._made

    def _make(self) -> tuple[bytes, bytes]:
        document = self.openapi()
        return bytes(JSONResponse(document).body), render(document)


def install(app: FastAPI) -> None:
    """Serve the documents of an application whose `openapi` is complete."""
    documentation = _Documentation(app.openapi)
    app.add_route(DOCUMENT, documentation.document, include_in_schema=False)
    app.add_route(PAGE, documentation.page, include_in_schema=False)
