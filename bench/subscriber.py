"""The control plane over HTTP, as the clients of the bench use it."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any, Self

import httpx

from bench.failure import BenchFailure
from deploy.local.ports import LOOPBACK

ACTIVE = 60.0  # seconds in which a subscription must become active


class Subscriber:
    """Makes and ends subscriptions in the name of one client."""

    def __init__(self, port: int, token: str) -> None:
        self.port, self.token = port, token
        url = f"http://{LOOPBACK}:{port}"
        self._http = httpx.AsyncClient(base_url=url, headers=_bearer(token), timeout=60)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def subscribe(self, name: str, *types: str, **more: Any) -> dict[str, Any]:
        """Make a subscription and wait until it is active; as it was answered."""
        made = await self.make(name, *types, **more)
        await self.active(name)
        return made

    async def make(self, name: str, *types: str, **more: Any) -> dict[str, Any]:
        """Make a subscription."""
        answer = await self._http.put(_path(name), json={"types": types, **more})
        if answer.status_code != httpx.codes.CREATED:
            raise BenchFailure(f"{name}: {answer.status_code} {answer.text}")
        made: dict[str, Any] = answer.json()
        return made

    async def active(self, name: str) -> None:
        """Wait until it is. Raises BenchFailure where that takes too long."""
        deadline = time.monotonic() + ACTIVE
        while (await self._http.get(_path(name))).json()["state"] != "active":
            if time.monotonic() > deadline:
                raise BenchFailure(f"{name} was not active within {ACTIVE:.0f} s")
            await asyncio.sleep(0.1)

    async def end(self, name: str) -> None:
        """Delete a subscription."""
        (await self._http.delete(_path(name))).raise_for_status()


def _path(name: str) -> str:
    return f"/v1/subscriptions/{name}"


async def client_of(
    http: httpx.AsyncClient,
    operator: str,
    organisation: str,
    roles: Sequence[str] = ("publisher", "subscriber"),
) -> str:
    """A token of a new client that publishes and subscribes; `operator` is another token."""
    wanted = {"organisation": organisation, "title": "bench", "roles": roles}
    id = (await _post(http, "/v1/clients", operator, wanted))["id"]
    secret = (await _post(http, f"/v1/clients/{id}/secrets", operator))["secret"]
    return await token_of(http, id, secret)


async def grant(
    http: httpx.AsyncClient, operator: str, organisation: str, action: str, type: str
) -> None:
    """Let an organisation act on the types under a pattern."""
    path = f"/v1/organisations/{organisation}/grants"
    await _post(http, path, operator, {"action": action, "type": type})


async def token_of(http: httpx.AsyncClient, client_id: str, client_secret: str) -> str:
    """A token."""
    answer = await http.post(
        "/oauth/token",
        auth=(client_id, client_secret),
        data={"grant_type": "client_credentials"},
    )
    if answer.status_code != httpx.codes.OK:
        raise BenchFailure(f"/oauth/token: {answer.status_code} {answer.text}")
    return str(answer.json()["access_token"])


async def _post(
    http: httpx.AsyncClient, path: str, token: str, body: object = None
) -> dict[str, str]:
    answer = await http.post(path, headers=_bearer(token), json=body)
    if answer.status_code != httpx.codes.CREATED:
        raise BenchFailure(f"{path}: {answer.status_code} {answer.text}")
    made: dict[str, str] = answer.json()
    return made


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
