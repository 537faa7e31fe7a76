"""For how long evidence is kept: written by `migrate`, so that no process can shorten it."""

from collections.abc import Mapping

import asyncpg

from gateway.base.settings import Settings

_SET = "UPDATE retention_periods SET days = $2 WHERE kind = $1"


def retention_periods(settings: Settings) -> Mapping[str, int | None]:
    """Days by kind, None for ever."""
    return {
        "refusals": settings.refusal_retention_days,
        "dead_letters": settings.dead_letter_retention_days,
        "identities": settings.identity_retention_days,
    }


async def set_retention_periods(
    connection: asyncpg.Connection, periods: Mapping[str, int | None]
) -> None:
    """Write them, as the owner of the tables."""
    for kind, days in periods.items():
        await connection.execute(_SET, kind, days)
