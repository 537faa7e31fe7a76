"""Operations that are ASGI applications of their own, because the framework would cost more.

The module of such an operation describes it with models, on a `described_router`.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
from starlette.types import Receive, Scope, Send

from gateway.base import errors
from gateway.base.telemetry import log
from gateway.http import problems
from gateway.http.context import CLIENT, PLACE, ApiContext
from gateway.identity import Client
from gateway.publishing import Limits
from gateway.publishing.accounting import REFUSED

CONTENT = (b"content-type", b"application/json")
_encode = msgspec.json.Encoder().encode

Headers = Sequence[tuple[bytes, bytes]]
Answer = tuple[int, bytes, list[tuple[bytes, bytes]]]
"""The status, the body and the headers."""


@dataclass(frozen=True, slots=True)
class AsgiEndpoint(ABC):
    """One operation, as an ASGI application."""

    context: ApiContext
    limits: Limits

    @abstractmethod
    async def answer(self, client: Client, scope: Scope, receive: Receive) -> Answer:
        """Carry out one request of a client."""

    def keep(self, scope: Scope) -> None:
        """The body has arrived. Raises Overloaded or ShareExceeded if that took too long."""
        if (shed := self.context.admission.keep(scope[PLACE])) is not None:
            raise shed.error

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. Every error is a problem document."""
        try:
            status, body, headers = await self.answer(scope[CLIENT], scope, receive)
        except errors.NusabusError as error:
            status, body, headers = problem(error)
        except Exception as error:
            log().error("http.request_crashed", path=scope["path"], exc_info=error)
            status, body, headers = problem(problems.DEFECT)
        await send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [*headers, (b"content-length", b"%d" % len(body))],
            }
        )
        await send({"type": "http.response.body", "body": body})


def problem(error: errors.NusabusError) -> Answer:
    """An error as an answer."""
    if isinstance(error, errors.Refused):
        REFUSED.labels(error.code).inc()
    headers = [
        (name.encode(), value.encode()) for name, value in problems.headers_of(error).items()
    ]
    body = _encode(problems.describe(error))
    return (
        problems.status_of(error),
        body,
        [(b"content-type", problems.MEDIA_TYPE.encode()), *headers],
    )
