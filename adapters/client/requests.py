"""Asking for a reply, and answering."""

import asyncio
import math
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from adapters.client.nusabus import EVENT, TIMEOUT, Nusabus, complete
from adapters.client.problem import Problem
from adapters.client.values import Asked

PATH = "/v1/requests"
LONGEST = 20  # seconds that the gateway lets one call wait
PAUSE = 0.5  # seconds before a call that the gateway has answered sooner than asked


class Requests:
    """The calls of `/v1/requests`, over a client's connection."""

    def __init__(self, bus: Nusabus) -> None:
        self._bus = bus

    async def ask(
        self, event: Mapping[str, Any], *, wait: float = LONGEST, needs_responder: bool = True
    ) -> Asked:
        """Ask, given a CloudEvent as in its JSON format; the request after up to `wait` seconds.

        Its `state` says whether there is a reply: the deadline (`expirytime` of the event, else 30
        seconds) ends the waiting too. Without `id` it gets a random one. Unknown outcomes are
        repeated with the same id, which is the same request. Raises Problem `no-responder` where
        nobody answers the type, unless `needs_responder` is off.
        """
        began = time.monotonic()
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
        return await self._follow(Asked.of(answer), wait - (time.monotonic() - began))

    async def show(self, id: str, *, wait: float = 0.0) -> Asked:
        """A request by its `id`, after up to `wait` seconds for its reply."""
        began = time.monotonic()
        found = await self._look(id, wait)
        return await self._follow(found, wait - (time.monotonic() - began))

    async def answer(self, id: str, reply: Mapping[str, Any]) -> dict[str, Any]:
        """Answer a request that one's organisation is asked, with an event `<type>.reply`.

        Returns where the reply stands, whether it was `late`, and whether it is a `duplicate`.
        Unknown outcomes are repeated with the same id. Raises Problem `already-answered` where
        another one came first.
        """
        answered: dict[str, Any] = await self._bus.send(
            f"{_path(id)}/reply", complete(reply), EVENT
        )
        return answered

    async def _follow(self, found: Asked, left: float) -> Asked:
        """Call after call, each as long as it may wait."""
        until = time.monotonic() + left
        while found.state == "waiting" and (left := until - time.monotonic()) > 0:
            began = time.monotonic()
            found = await self._look(found.id, left)
            if time.monotonic() - began < PAUSE:  # a process that ends lets everybody go
                await asyncio.sleep(min(PAUSE, left))
        return found

    async def _look(self, id: str, wait: float) -> Asked:
        headers, timeout = _prefer(wait), _timeout(wait)
        return Asked.of(
            await self._bus.repeated("GET", _path(id), headers=headers, timeout=timeout)
        )


def _path(id: str) -> str:
    return f"{PATH}/{quote(id, safe='')}"


def _prefer(wait: float) -> dict[str, str]:
    return {"Prefer": f"wait={min(math.ceil(wait), LONGEST)}"} if wait > 0 else {}


def _timeout(wait: float) -> float:
    return min(wait, LONGEST) + TIMEOUT
