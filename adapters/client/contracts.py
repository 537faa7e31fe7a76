"""What administrators do with contracts: look, try, register, deprecate, retire."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from adapters.client.nusabus import Nusabus

ANY = "*"  # as If-Match: whatever the contract is now
Document = Mapping[str, Any]


class Contracts:
    """The calls of `/v1/contracts`, over a client's connection.

    Bodies and answers are those of the HTTP API. A Problem `incompatible` or `unconfirmed` has in
    its document what was found and who would be hit. Changes take the `revision` that was read,
    so that nothing is lost which somebody else changed; without one they change what is there.
    """

    def __init__(self, bus: Nusabus) -> None:
        self._bus = bus

    async def find(self, **search: str) -> list[dict[str, Any]]:
        """Every contract that one may see; `text`, `owner`, `pattern`, `classification`, `state`
        choose among them."""
        return await self._bus.all("/v1/contracts", **search)

    async def show(self, type: str) -> dict[str, Any]:
        """One contract."""
        return _document(await self._bus.call("GET", f"/v1/contracts/{type}"))

    async def versions(self, type: str) -> list[dict[str, Any]]:
        """Its versions, with their schemas, the oldest first."""
        return await self._bus.all(f"/v1/contracts/{type}/versions")

    async def history(self, type: str) -> list[dict[str, Any]]:
        """Who did what to it, the oldest first."""
        return await self._bus.all(f"/v1/contracts/{type}/history")

    async def register(self, contract: Document) -> dict[str, Any]:
        """Register a contract with its first version, or find the very same one."""
        return _document(await self._bus.call("POST", "/v1/contracts", json=contract))

    async def try_version(self, type: str, version: Document) -> dict[str, Any]:
        """What would become of a version: `compatibility`, `impact`, `advice`, `existing`."""
        path = f"/v1/contracts/{type}/compatibility"
        return _document(await self._bus.call("POST", path, json=version))

    async def add_version(
        self, type: str, version: Document, *, revision: int | None = None
    ) -> dict[str, Any]:
        """Register the next version, or find the very same one."""
        return await self._act(f"{type}/versions", revision, version)

    async def change(
        self, type: str, changes: Document, *, revision: int | None = None
    ) -> dict[str, Any]:
        """Change title, description, classification, ordering or compatibility."""
        path, headers = f"/v1/contracts/{type}", _if_match(revision)
        return _document(await self._bus.call("PATCH", path, json=changes, headers=headers))

    async def approve(self, type: str, version: int, *, revision: int | None = None) -> Document:
        """Let a breaking draft come into force that another administrator registered."""
        return await self._act(f"{type}/versions/{version}/approval", revision)

    async def deprecate(
        self,
        type: str,
        version: int | None = None,
        *,
        sunset: datetime | None = None,
        successor: str | None = None,
        revision: int | None = None,
    ) -> dict[str, Any]:
        """Tell publishers to leave a version, or without one the whole type."""
        body = {"sunset": None if sunset is None else sunset.isoformat(), "successor": successor}
        return await self._act(f"{_place(type, version)}/deprecation", revision, body)

    async def would_retire(self, type: str, version: int | None = None) -> dict[str, Any]:
        """Whom it would hit to retire a version, or without one the whole type."""
        path = f"/v1/contracts/{_place(type, version)}/retirement"
        return _document(await self._bus.call("POST", path, params={"dryrun": "true"}))

    async def retire(
        self, type: str, version: int | None = None, *, revision: int | None = None
    ) -> dict[str, Any]:
        """End a version, or without one the whole type; whom it hits is hit."""
        path = f"/v1/contracts/{_place(type, version)}/retirement"
        headers, query = _if_match(revision), {"confirm": "true"}
        return _document(await self._bus.call("POST", path, params=query, headers=headers))

    async def reinstate(self, type: str, version: int, *, revision: int | None = None) -> Document:
        """Take the retirement of a version back."""
        return await self._act(f"{type}/versions/{version}/reinstatement", revision)

    async def _act(
        self, place: str, revision: int | None, body: Document | None = None
    ) -> dict[str, Any]:
        path, headers = f"/v1/contracts/{place}", _if_match(revision)
        return _document(await self._bus.call("POST", path, json=body, headers=headers))


def _place(type: str, version: int | None) -> str:
    return type if version is None else f"{type}/versions/{version}"


def _if_match(revision: int | None) -> dict[str, str]:
    return {"if-match": ANY if revision is None else f'"{revision}"'}


def _document(answer: Any) -> dict[str, Any]:
    document: dict[str, Any] = answer
    return document
