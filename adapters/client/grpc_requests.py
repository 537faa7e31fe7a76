"""Requests over gRPC: ask, and answer."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Self

import grpc

from adapters.client.call_retry import CallRetryPolicy
from adapters.client.grpc_channel import (
    SERVICE,
    AccessToken,
    metadata,
    open_channel,
    problem_of,
)
from adapters.client.grpc_events import to_document, to_message
from adapters.client.nusabus import TIMEOUT, complete
from adapters.client.requests import LONGEST_WAIT
from adapters.client.tls import Tls
from adapters.client.values import RequestView
from adapters.client.wire import bus_pb2 as messages

_STATES = {
    messages.REQUEST_STATE_WAITING: "waiting",
    messages.REQUEST_STATE_ANSWERED: "answered",
    messages.REQUEST_STATE_ANSWERED_LATE: "answered-late",
}


class GrpcRequests:
    """Asks and answers over gRPC. Use it as `async with GrpcRequests(...) as requests:`.

    Calls that were not answered are repeated, which is safe. Methods raise Problem.
    """

    def __init__(
        self,
        address: str,
        access_token: AccessToken,
        *,
        tls: Tls | bool = True,
        retry: CallRetryPolicy | None = None,
    ) -> None:
        """`address` is host:port, `access_token` that of a Nusabus; `tls` as in `open_channel`."""
        self._address, self._access_token, self._tls = address, access_token, tls
        self._retry = retry or CallRetryPolicy()

    async def __aenter__(self) -> Self:
        self._channel = open_channel(self._address, self._tls)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._channel.close()

    async def ask(
        self, event: Mapping[str, Any], *, wait: float = LONGEST_WAIT, needs_responder: bool = True
    ) -> RequestView:
        """Send a request, a CloudEvent in its JSON format, and wait up to `wait` (20) seconds.

        The `state` of the result says whether there is a reply. An event without `id` gets a random
        one; the same event again is the same request. Raises Problem `no-reply` at the deadline,
        and `no-responder` if nobody answers this type, unless `needs_responder` is False.
        """
        request = messages.RequestRequest(
            event=to_message(complete(event)), wait_for_responder=not needs_responder
        )
        request.wait.FromMilliseconds(round(wait * 1000))
        answer = await self._call("Request", request, messages.RequestResponse, wait)
        return RequestView(
            id=answer.id,
            type=str(event["type"]),
            state=_STATES.get(answer.state, "unknown"),
            deadline=_time(answer.deadline.ToDatetime(UTC)),
            request=_stored(answer.request),
            reply=to_document(answer.reply) if answer.HasField("reply") else None,
            refused_replies=[],
        )

    async def answer(self, id: str, reply: Mapping[str, Any]) -> dict[str, Any]:
        """Answer a request to one's organisation with an event of type `<type>.reply`.

        Returns what `Requests.answer` returns. Raises Problem `already-answered` if another reply
        came first.
        """
        given = messages.RespondRequest(request_id=id, reply=to_message(complete(reply)))
        answer = await self._call("Respond", given, messages.RespondResponse)
        return {
            "request": id,
            "late": answer.late,
            "duplicate": answer.duplicate,
            "reply": _stored(answer.reply),
        }

    async def _call(self, name: str, request: Any, kind: Any, wait: float = 0) -> Any:
        call = self._channel.unary_unary(
            f"{SERVICE}/{name}",
            request_serializer=type(request).SerializeToString,
            response_deserializer=kind.FromString,
        )
        failed = 0
        while True:
            try:
                caller = await metadata(self._access_token)
                return await call(request, timeout=wait + TIMEOUT, metadata=caller)
            except grpc.aio.AioRpcError as caught:
                failed, error = failed + 1, problem_of(caught)
                delay = self._retry.delay(failed, error)
                if delay is None:
                    raise error from None
            await asyncio.sleep(delay)


def _stored(stored: messages.StoredEvent) -> dict[str, Any]:
    return {
        "source": stored.source,
        "id": stored.id,
        "shard": stored.shard,
        "sequence": stored.sequence,
        "recordedtime": _time(stored.recorded_time.ToDatetime(UTC)),
    }


def _time(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
