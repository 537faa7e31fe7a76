"""Requests in progress: each ends when its client loses the right to call.

A long poll, a stream, a waiting request and a slow body stay open for long. So whenever the
directory changes, the token of every request in progress is looked at again.
"""

import asyncio
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.base.errors import NusabusError
from gateway.http import problems
from gateway.http.context import ApiContext, bearer
from gateway.identity import not_authenticated


@dataclass(eq=False)
class _Call:
    """A request in progress. `error` says why it was ended."""

    task: "asyncio.Task[object]"
    authorization: str | None
    error: NusabusError | None = None


class OpenCalls:
    """The requests in progress of one process."""

    def __init__(self, context: ApiContext) -> None:
        self._context = context
        self._calls: set[_Call] = set()
        self._revision = -1

    async def run(
        self, app: ASGIApp, scope: Scope, receive: Receive, send: Send, authorization: str | None
    ) -> None:
        """Answer a request. If its client loses the right meanwhile, the answer says so or ends."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine runs in a task
        call, started = _Call(task, authorization), False

        async def send_and_note(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        self._calls.add(call)
        try:
            # The body was read since the client was authenticated, and that may take a minute.
            if (error := _lost_right(self._context, authorization)) is not None:
                await problems.response(error)(scope, receive, send)
                return
            await app(scope, receive, send_and_note)
        except asyncio.CancelledError:
            if call.error is None or task.uncancel() > 0:
                raise
            if started:
                await send(_end_of_stream(call.error))
            else:
                await problems.response(call.error)(scope, receive, send)
        finally:
            self._calls.discard(call)

    async def recheck(self) -> None:
        """End the requests whose clients have lost the right since the last look."""
        if self._revision == self._context.directories.revision:
            return
        self._revision = self._context.directories.revision
        for call in list(self._calls):
            error = _lost_right(self._context, call.authorization)
            if error is not None and call.error is None:
                call.error = error
                call.task.cancel()


def _lost_right(context: ApiContext, authorization: str | None) -> NusabusError | None:
    try:
        token = context.tokens.verify(bearer(authorization))
        client = context.directory.caller(token.client, token.credential)
    except NusabusError as error:
        return error
    return not_authenticated() if client is None else None


def _end_of_stream(error: NusabusError) -> Message:
    """Only a stream of server-sent events has begun its answer while it waits."""
    body = f"event: end\ndata: {error.code}\n\n".encode()
    return {"type": "http.response.body", "body": body, "more_body": False}
