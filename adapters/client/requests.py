"""Requests: ask, look for the reply, answer."""

import asyncio
import math
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from adapters.client.nusabus import EVENT, TIMEOUT, Nusabus, complete
from adapters.client.problem import Problem
from adapters.client.values import RequestView

PATH = "/v1/requests"
LONGEST_WAIT = 20  # seconds that one call may wait
MIN_INTERVAL = 0.5  # seconds between two calls; a gateway that stops answers at once


class Requests:
    """The calls of `/v1/requests`."""

    def __init__(self, bus: Nusabus) -> None:
        self._bus = bus

    async def ask(
        self, event: Mapping[str, Any], *, wait: float = LONGEST_WAIT, needs_responder: bool = True
    ) -> RequestView:
        """Send a request, a CloudEvent in its JSON format, and wait up to `wait` seconds.

        The `state` of the result says whether there is a reply. The deadline (`expirytime` of the
        event, else 30 seconds) ends the wait too. An event without `id` gets a random one. A call
        that was not answered is repeated with the same id, which is the same request. Raises
        Problem `no-responder` if nobody answers this type, unless `needs_responder` is False.
        """
        started = time.monotonic()
        query = {} if needs_responder else {"no_responder": "wait"}
        try:
            answer = await self._bus.send(
                PATH,
                complete(event),
                EVENT,
                params=query,
                headers=_prefer(wait),
                timeout=_timeout(wait),
            )
        except Problem as problem:
            if problem.code != "no-reply":
                raise
            return await self.show(problem.document["request"])
        return await self._follow(RequestView.of(answer), wait - (time.monotonic() - started))

    async def show(self, id: str, *, wait: float = 0.0) -> RequestView:
        """A request by its `id`; waits up to `wait` seconds for its reply."""
        started = time.monotonic()
        found = await self._get(id, wait)
        return await self._follow(found, wait - (time.monotonic() - started))

    async def answer(self, id: str, reply: Mapping[str, Any]) -> dict[str, Any]:
        """Answer a request to one's organisation with an event of type `<type>.reply`.

        Returns the position of the reply, whether it was `late`, and whether it is a `duplicate`.
        A call that was not answered is repeated with the same id. Raises Problem
        `already-answered` if another reply came first.
        """
        answered: dict[str, Any] = await self._bus.send(
            f"{_path(id)}/reply", complete(reply), EVENT
        )
        return answered

    async def _follow(self, found: RequestView, left: float) -> RequestView:
        """Repeat the call, each as long as one may wait, until there is a reply or no time."""
        until = time.monotonic() + left
        while found.state == "waiting" and (left := until - time.monotonic()) > 0:
            started = time.monotonic()
            found = await self._get(found.id, left)
            if time.monotonic() - started < MIN_INTERVAL:
                await asyncio.sleep(min(MIN_INTERVAL, left))
        return found

    async def _get(self, id: str, wait: float) -> RequestView:
        headers, timeout = _prefer(wait), _timeout(wait)
        return RequestView.of(
            await self._bus.retried("GET", _path(id), headers=headers, timeout=timeout)
        )


def _path(id: str) -> str:
    return f"{PATH}/{quote(id, safe='')}"


def _prefer(wait: float) -> dict[str, str]:
    return {"Prefer": f"wait={min(math.ceil(wait), LONGEST_WAIT)}"} if wait > 0 else {}


def _timeout(wait: float) -> float:
    return min(wait, LONGEST_WAIT) + TIMEOUT
