"""The hosts of PostgreSQL: which of them a connection goes to."""

from typing import Any

import asyncpg

from gateway.base.hosts import each_host

# What another host may do better: this one is away, silent, starting, full, or a standby.
_NEXT: tuple[type[BaseException], ...] = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.TargetServerAttributeNotMatched,
)


class DatabaseHosts:
    """Connects to the first host of a URL that answers and fits, from the last that did on."""

    def __init__(self, url: str) -> None:
        """The URL may name several hosts, as for libpq; its parameters hold for each of them."""
        self._urls = each_host(url)
        self._present = 0

    async def connect(self, *, timeout: float, **options: Any) -> asyncpg.Connection:
        """Connect; the hosts share the `timeout`, in seconds. `options` are those of asyncpg.

        asyncpg would give all of the time to the first host, so that a machine that is gone
        without a word would keep us from the others; and it would stop at a proxy whose server is
        away. Raises what the last host raised, or at once what another could not do better.
        """
        start, hosts = self._present, len(self._urls)
        for turn in range(hosts):
            number = (start + turn) % hosts
            try:
                connection: asyncpg.Connection = await asyncpg.connect(
                    self._urls[number], timeout=timeout / hosts, **options
                )
            except _NEXT:
                if turn == hosts - 1:
                    raise
            else:
                self._present = number
                return connection
        raise AssertionError("a URL has one host at least")
