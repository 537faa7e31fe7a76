"""Replies that were refused, so that the requester learns why there is none."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg

from gateway.base.database import database_errors

KEPT = 20  # of one request
_NOTE = """
INSERT INTO refused_replies (request, organisation, reason) SELECT $1, $2, $3
WHERE (SELECT count(*) FROM refused_replies WHERE request = $1) < $4
"""
_OF = """
SELECT recorded, organisation, reason FROM refused_replies WHERE request = $1 ORDER BY recorded
"""


@dataclass(frozen=True, slots=True)
class RefusedReply:
    """When a reply was refused, the organisation of its sender, and the code of the reason."""

    recorded: datetime
    organisation: str
    reason: str


class RefusedReplies:
    """The replies that were refused, by request. Raises DatabaseUnavailable."""

    def __init__(self, pool: asyncpg.Pool, *, timeout: float) -> None:
        self._pool = pool
        self._timeout = timeout

    async def note(self, request: bytes, organisation: str, reason: str) -> None:
        """Keep that a reply was refused; of many to one request, the first 20."""
        await self._fetch(_NOTE, request, organisation, reason, KEPT)

    async def of(self, request: bytes) -> list[RefusedReply]:
        """The refused replies to a request, the oldest first."""
        return [RefusedReply(*row) for row in await self._fetch(_OF, request)]

    async def _fetch(self, statement: str, *arguments: Any) -> Sequence[Any]:
        with database_errors():
            async with self._pool.acquire(timeout=self._timeout) as connection:
                rows: Sequence[Any] = await connection.fetch(
                    statement, *arguments, timeout=self._timeout
                )
                return rows
