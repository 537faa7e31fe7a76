"""The harness as a client of the gateway: it logs in, sends events, asks for subscriptions."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from types import MappingProxyType
from typing import Any

import httpx

from deploy.local.credentials import Credentials
from gateway.base.event import Event
from tests.faults import events
from tests.faults.run_log import Answer, Reply

PATIENCE = 2.5  # seconds until an answer counts as none; a stopped process gives none
TOKEN_SECONDS = 45.0  # of the 60 that a token lives
RETRY = 0.2
UNKNOWN = {429, *range(500, 600)}  # to be sent again


class GatewayClient:
    """One organisation's way in. Reconnects all the time, so that every api process is met."""

    def __init__(self, url: str, credentials: Credentials) -> None:
        self._http = httpx.AsyncClient(
            base_url=url,
            timeout=PATIENCE,
            trust_env=False,
            limits=httpx.Limits(max_keepalive_connections=4, keepalive_expiry=1.0),
        )
        self._login = (credentials.client_id, credentials.client_secret)
        self._token = ""
        self._token_until = 0.0
        self.refused = 0
        """How often its token was none any more."""

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def send_structured(self, event: Event, patience: float = PATIENCE) -> Reply:
        """One event as one JSON document."""
        headers = {"content-type": events.STRUCTURED}
        return await self._send_one(headers, events.structured(event), patience)

    async def send_binary(self, event: Event) -> Reply:
        """One event as headers and body."""
        headers, body = events.binary(event)
        return await self._send_one(headers, body)

    async def send_batch(self, batch: Sequence[Event], *, atomic: bool) -> list[Reply]:
        """Many events in one request; the answers in the same order."""
        body = b"[" + b",".join(events.structured(event) for event in batch) + b"]"
        path = "/v1/events?atomic=true" if atomic else "/v1/events"
        response = await self._post(path, {"content-type": events.BATCH}, body)
        if response is None or response.status_code in UNKNOWN:
            return [Reply(Answer.UNKNOWN, response.status_code if response else 0)] * len(batch)
        if response.status_code not in (207, 422):
            return [Reply(Answer.REFUSED, response.status_code)] * len(batch)
        if "results" not in response.json():  # nothing was committed: one of them is in the way
            return [Reply(Answer.REFUSED, response.status_code)] * len(batch)
        return [_reply(each["status"], each.get("receipt")) for each in response.json()["results"]]

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        more: Mapping[str, str] = MappingProxyType({}),
    ) -> httpx.Response:
        """Another request, repeated until something else than an outage answers."""
        while True:
            with suppress(httpx.HTTPError):
                response = await self._http.request(
                    method,
                    path,
                    json=body,
                    headers={**await self._authorization(), **more},
                    timeout=15,
                )
                if response.status_code not in UNKNOWN and not self._must_log_in(response):
                    return response
            await asyncio.sleep(RETRY)

    @asynccontextmanager
    async def stream(self, path: str, last: str) -> AsyncIterator[httpx.Response]:
        """An answer that is read as it comes; raises httpx.HTTPError after a long silence."""
        headers = {**await self._authorization(), **({"last-event-id": last} if last else {})}
        async with self._http.stream("GET", path, headers=headers, timeout=20) as answer:
            self._must_log_in(answer)
            yield answer

    async def new_token(self) -> str:
        """An access token that has all of its life before it."""
        self._token_until = 0.0
        await self._authorization()
        return self._token

    async def _send_one(self, headers: Any, body: bytes, patience: float = PATIENCE) -> Reply:
        response = await self._post("/v1/events", headers, body, patience)
        if response is None:
            return Reply(Answer.UNKNOWN, 0)
        receipt = response.json() if response.status_code == httpx.codes.ACCEPTED else None
        return _reply(response.status_code, receipt)

    async def _post(
        self, path: str, headers: Any, body: bytes, patience: float = PATIENCE
    ) -> httpx.Response | None:
        """One attempt; None where no answer came. Logs in again where the token has ended."""
        while True:
            authorization = await self._authorization()
            try:
                answer = await self._http.post(
                    path, headers={**headers, **authorization}, content=body, timeout=patience
                )
            except httpx.HTTPError:
                return None
            if not self._must_log_in(answer):
                return answer

    def _must_log_in(self, answer: httpx.Response) -> bool:
        """Whether the token is refused: the next request comes with another one."""
        if answer.status_code != httpx.codes.UNAUTHORIZED:
            return False
        self.refused += 1
        self._token_until = 0.0
        return True

    async def _authorization(self) -> dict[str, str]:
        while time.monotonic() > self._token_until:
            with suppress(httpx.HTTPError):
                response = await self._http.post(
                    "/oauth/token", auth=self._login, data={"grant_type": "client_credentials"}
                )
                if response.status_code == httpx.codes.OK:
                    self._token = response.json()["access_token"]
                    self._token_until = time.monotonic() + TOKEN_SECONDS
                    break
            await asyncio.sleep(RETRY)
        return {"authorization": f"Bearer {self._token}"}


def _reply(status: int, receipt: Any) -> Reply:
    if status != httpx.codes.ACCEPTED:
        unknown = status in UNKNOWN
        return Reply(Answer.UNKNOWN if unknown else Answer.REFUSED, status)
    return Reply(
        Answer.OK,
        status,
        receipt["shard"],
        receipt["sequence"],
        bytes.fromhex(receipt["digest"]),
        receipt["duplicate"],
    )
