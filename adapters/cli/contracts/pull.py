"""Writes registered contracts to files."""

import re
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from adapters.cli.contracts.folder import pretty, written
from adapters.cli.contracts.registry import Registry
from adapters.cli.exits import Failure

_PLAIN = re.compile(r"[a-z0-9][a-z0-9.-]*")


async def pull(
    registry: Registry, folder: Path, query: Mapping[str, str]
) -> tuple[list[Path], int]:
    """Write the contracts that match a query; returns the changed paths, and how many did not.

    Files that belong to no registered contract stay.
    """
    changed: list[Path] = []
    same = 0
    async for path, text in _files(registry, query):
        file = folder / path
        if file.exists() and file.read_bytes() == text:
            same += 1
            continue
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text)
        changed.append(file)
    return changed, same


async def _files(registry: Registry, query: Mapping[str, str]) -> AsyncIterator[tuple[str, bytes]]:
    """Every file with its path below the folder."""
    owners: set[str] = set()
    for about in await registry.search(**query):
        owner, type = _plain(about["owner"]), _plain(about["type"])
        if owner not in owners:
            owners.add(owner)
            yield f"{owner}/organisation.json", pretty(await registry.organisation(owner))
        found = await registry.find(type)
        if found is not None:
            for name, text in written(found.contract).items():
                yield f"{owner}/{type}/{name}", text


def _plain(name: str) -> str:
    """A name that is safe for a folder. Raises Failure."""
    if not _PLAIN.fullmatch(name):
        raise Failure(f"{name!r} cannot be the name of a folder.")
    return name
