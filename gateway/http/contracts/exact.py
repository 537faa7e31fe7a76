"""Exact bodies: strict JSON, parsed once."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.responses import Response

from gateway.base import strict_json
from gateway.base.errors import NusabusError

_DEPTH = strict_json.DEPTH + 6  # the data of an example are some levels down in the body


class ExactRequest(Request):
    """A request whose JSON keeps every number as it was written, and no name twice."""

    async def json(self) -> Any:
        """The parsed body. Raises Malformed."""
        return strict_json.parse(await self.body(), depth=_DEPTH)


class ExactRoute(APIRoute):
    """A route that reads its body as ExactRequest does."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler; FastAPI wraps every error of a body, so ours are unwrapped here."""
        handle = super().get_route_handler()

        async def handle_exactly(request: Request) -> Response:
            try:
                return await handle(ExactRequest(request.scope, request.receive))
            except HTTPException as error:
                if isinstance(error.__cause__, NusabusError):
                    raise error.__cause__ from None
                raise

        return handle_exactly
