"""Contracts: find, compare, register, deprecate, retire."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from adapters.client.nusabus import Nusabus

ANY = "*"  # If-Match: any revision
Document = Mapping[str, Any]


class Contracts:
    """The calls of `/v1/contracts`. Bodies and answers are those of the HTTP API.

    The document of a Problem `incompatible` or `unconfirmed` holds the comparison and the impact.
    Calls that change a contract take the `revision` that you read, and fail if somebody else has
    changed the contract since. Without `revision` they change the contract as it is.
    """

    def __init__(self, bus: Nusabus) -> None:
        self._bus = bus

    async def find(self, **search: str) -> list[dict[str, Any]]:
        """The contracts that the client may see, filtered by `text`, `owner`, `pattern`,
        `classification` and `state`."""
        return await self._bus.all("/v1/contracts", **search)

    async def show(self, type: str) -> dict[str, Any]:
        """One contract."""
        return _document(await self._bus.call("GET", f"/v1/contracts/{type}"))

    async def versions(self, type: str) -> list[dict[str, Any]]:
        """The versions of a contract with their schemas, the oldest first."""
        return await self._bus.all(f"/v1/contracts/{type}/versions")

    async def history(self, type: str) -> list[dict[str, Any]]:
        """The changes of a contract, and who made them, the oldest first."""
        return await self._bus.all(f"/v1/contracts/{type}/history")

    async def register(self, contract: Document) -> dict[str, Any]:
        """Register a contract with its first version, or return the identical one."""
        return _document(await self._bus.call("POST", "/v1/contracts", json=contract))

    async def try_version(self, type: str, version: Document) -> dict[str, Any]:
        """Compare a version without registering it: `compatibility`, `impact`, `advice`,
        `existing`."""
        path = f"/v1/contracts/{type}/compatibility"
        return _document(await self._bus.call("POST", path, json=version))

    async def add_version(
        self, type: str, version: Document, *, revision: int | None = None
    ) -> dict[str, Any]:
        """Register the next version, or return the identical one."""
        return await self._act(f"{type}/versions", revision, version)

    async def change(
        self, type: str, changes: Document, *, revision: int | None = None
    ) -> dict[str, Any]:
        """Change the title, description, classification, ordering or compatibility."""
        path, headers = f"/v1/contracts/{type}", _if_match(revision)
        return _document(await self._bus.call("PATCH", path, json=changes, headers=headers))

    async def approve(self, type: str, version: int, *, revision: int | None = None) -> Document:
        """Activate a breaking draft that another administrator has registered."""
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
        """Deprecate a version, or the whole type if `version` is None."""
        body = {"sunset": None if sunset is None else sunset.isoformat(), "successor": successor}
        return await self._act(f"{_version_path(type, version)}/deprecation", revision, body)

    async def would_retire(self, type: str, version: int | None = None) -> dict[str, Any]:
        """The impact of retiring a version, or the whole type if `version` is None."""
        path = f"/v1/contracts/{_version_path(type, version)}/retirement"
        return _document(await self._bus.call("POST", path, params={"dryrun": "true"}))

    async def retire(
        self, type: str, version: int | None = None, *, revision: int | None = None
    ) -> dict[str, Any]:
        """Retire a version, or the whole type if `version` is None, whatever the impact."""
        path = f"/v1/contracts/{_version_path(type, version)}/retirement"
        headers, query = _if_match(revision), {"confirm": "true"}
        return _document(await self._bus.call("POST", path, params=query, headers=headers))

    async def reinstate(self, type: str, version: int, *, revision: int | None = None) -> Document:
        """Reinstate a retired version."""
        return await self._act(f"{type}/versions/{version}/reinstatement", revision)

    async def _act(
        self, path: str, revision: int | None, body: Document | None = None
    ) -> dict[str, Any]:
        headers = _if_match(revision)
        return _document(
            await self._bus.call("POST", f"/v1/contracts/{path}", json=body, headers=headers)
        )


def _version_path(type: str, version: int | None) -> str:
    return type if version is None else f"{type}/versions/{version}"


def _if_match(revision: int | None) -> dict[str, str]:
    return {"if-match": ANY if revision is None else f'"{revision}"'}


def _document(answer: Any) -> dict[str, Any]:
    document: dict[str, Any] = answer
    return document
