"""Requests in progress: each ends when its client loses the right to call.

A long poll, a stream, a waiting request and a slow body stay open for long. So whenever the
directory changes, the token of every request in progress is looked at again. A request that is
being carried out is not interrupted: its answer says what it did.
"""

import asyncio
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.base.errors import NusabusError
from gateway.http import problems
from gateway.http.context import CALL, ApiContext, bearer
from gateway.identity import not_authenticated
from gateway.quotas import Call


@dataclass(eq=False)
class _OpenCall:
    """A request in progress. `error` says why it was ended."""

    task: "asyncio.Task[object]"
    authorization: str | None
    counted: Call
    received: bool
    """Whether its body has arrived."""
    error: NusabusError | None = None
    begun: bool = False

    def noting(self, receive: Receive, send: Send) -> tuple[Receive, Send]:
        """The same two, which note how far the call is."""

        async def receive_and_note() -> Message:
            message = await receive()
            self.received = self.received or not message.get("more_body", False)
            return message

        async def send_and_note(message: Message) -> None:
            self.begun = True
            await send(message)

        return receive_and_note, send_and_note

    @property
    def may_end(self) -> bool:
        """Whether it can be ended without half an effect."""
        return self.counted.waits or not self.received


class OpenCalls:
    """The requests in progress of one process."""

    def __init__(self, context: ApiContext) -> None:
        self._context = context
        self._calls: set[_OpenCall] = set()
        self._revision = -1

    async def run(
        self,
        app: ASGIApp,
        scope: Scope,
        receive: Receive,
        send: Send,
        authorization: str | None,
        *,
        received: bool,
    ) -> None:
        """Answer a request. If its client loses the right meanwhile, the answer says so or ends.

        `received` says whether the body of a request that changes something has arrived.
        """
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine runs in a task
        call = _OpenCall(task, authorization, scope[CALL], received)
        self._calls.add(call)
        try:
            # The body was read since the client was authenticated, and that may take a minute.
            if (error := _lost_right(self._context, authorization)) is not None:
                await problems.response(error)(scope, receive, send)
                return
            await app(scope, *call.noting(receive, send))
        except asyncio.CancelledError:
            if call.error is None or task.uncancel() > 0:
                raise
            if call.begun:
                await send(_end_of_stream(call.error))
            else:
                await problems.response(call.error)(scope, receive, send)
        finally:
            self._calls.discard(call)

    async def recheck(self) -> None:
        """End the requests whose clients have lost the right since the last look."""
        revision = self._context.directories.revision
        if self._revision == revision:
            return
        remaining = False
        for call in list(self._calls):
            error = _lost_right(self._context, call.authorization)
            if error is None or call.error is not None:
                continue
            if call.may_end:
                call.error = error
                call.task.cancel()
            else:
                remaining = True  # it may begin to wait
        if not remaining:
            self._revision = revision


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
