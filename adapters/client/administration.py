"""Administration: clients, their secrets, grants and source prefixes."""

from collections.abc import Collection

from adapters.client.nusabus import Nusabus
from adapters.client.problem import Problem

SECRETS = 2  # a client has at most so many at a time


class Administration:
    """Calls that need the role `admin`.

    All but `add_secret` and `assign_source_prefix` may be repeated.
    """

    def __init__(self, bus: Nusabus) -> None:
        self._bus = bus

    async def provide_client(self, organisation: str, title: str, roles: Collection[str]) -> str:
        """The id of the active client with this title, which is created if there is none."""
        for client in await self._bus.all("/v1/clients", organisation=organisation):
            if client["title"] == title and client["state"] == "active":
                return str(client["id"])
        body = {"organisation": organisation, "title": title, "roles": sorted(roles)}
        return str((await self._bus.call("POST", "/v1/clients", json=body))["id"])

    async def add_secret(self, client: str) -> str:
        """Create a secret. If the client has two already, the older one is deleted."""
        path = f"/v1/clients/{client}/secrets"
        secrets = await self._bus.all(path)
        for old in secrets[: len(secrets) - SECRETS + 1]:
            await self._bus.call("DELETE", f"{path}/{old['id']}")
        return str((await self._bus.call("POST", path))["secret"])

    async def assign_source_prefix(self, organisation: str, prefix: str) -> None:
        """Let an organisation own the sources under a prefix, such as `https://x.go.id/`.

        Raises Problem `conflict` if it overlaps another one.
        """
        path = f"/v1/organisations/{organisation}/sources"
        await self._bus.call("POST", path, json={"prefix": prefix})

    async def grant(self, organisation: str, action: str, type: str) -> None:
        """Let an organisation `publish` or `subscribe` to a type or a pattern of types."""
        body = {"action": action, "type": type}
        try:
            await self._bus.call("POST", f"/v1/organisations/{organisation}/grants", json=body)
        except Problem as problem:
            if problem.code != "conflict":
                raise
