"""What administrators do: clients, secrets, grants."""

from collections.abc import Collection

from adapters.client.nusabus import Nusabus
from adapters.client.problem import Problem

SECRETS = 2  # that a client may have at a time


class Administration:
    """The calls of an administrator, over its connection. All but `add_secret` may be repeated."""

    def __init__(self, bus: Nusabus) -> None:
        self._bus = bus

    async def provide_client(self, organisation: str, title: str, roles: Collection[str]) -> str:
        """The id of the active client of this title; made where there is none."""
        for client in await self._bus.all("/v1/clients", organisation=organisation):
            if client["title"] == title and client["state"] == "active":
                return str(client["id"])
        wish = {"organisation": organisation, "title": title, "roles": sorted(roles)}
        return str((await self._bus.call("POST", "/v1/clients", json=wish))["id"])

    async def add_secret(self, client: str) -> str:
        """A new secret, shown this once. Where there are two already the older one goes."""
        path = f"/v1/clients/{client}/secrets"
        secrets = await self._bus.all(path)
        for old in secrets[: len(secrets) - SECRETS + 1]:
            await self._bus.call("DELETE", f"{path}/{old['id']}")
        return str((await self._bus.call("POST", path))["secret"])

    async def grant(self, organisation: str, action: str, type: str) -> None:
        """Let an organisation `publish` or `subscribe` to a type or pattern, if it may not yet."""
        wish = {"action": action, "type": type}
        try:
            await self._bus.call("POST", f"/v1/organisations/{organisation}/grants", json=wish)
        except Problem as problem:
            if problem.code != "conflict":
                raise
