"""Months long ago, and contracts that keep events for a time: the clock is in the data."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from deploy.local.postgres import Postgres
from gateway.base.stop import Stop
from gateway.journal import RetentionWorker
from tests.integration.journal_setup import Journal

SHORT, LONG, EVER = (f"id.go.uji.simpan.{word}.v1" for word in ("pendek", "panjang", "selalu"))
DAYS: Mapping[str, int | None] = {SHORT: 30, LONG: 300, EVER: None}

_ORIGINS = """
INSERT INTO journal_origins (facts, type, client, publisher, contract_version, is_binary,
                             attributes)
SELECT t, t, 'c', 'uji', 1, false, '' FROM unnest($1::text[]) t ON CONFLICT (facts) DO NOTHING
"""
_ENTRIES = """
INSERT INTO journal_rows
SELECT $1::smallint, $2 + n, ($3::date + n * interval '1 ms') AT TIME ZONE 'UTC', '/uji',
       'e' || $1 || '-' || $2 + n, CASE WHEN old THEN o.type END, NULL, '{}', 'x',
       CASE WHEN old THEN false END, CASE WHEN old THEN 'd'::bytea END, CASE WHEN old THEN 'c' END,
       CASE WHEN old THEN 'uji' END, CASE WHEN old THEN 1 END, CASE WHEN NOT old THEN o.number END
FROM generate_series(1, $5::bigint) n
CROSS JOIN LATERAL (SELECT (n - 1) / cardinality($4::text[]) % 2 = 0 AS old) u
JOIN journal_origins o ON o.facts = ($4::text[])[1 + (n - 1) % cardinality($4)]
"""


def months_ago(number: int) -> date:
    """The first day of a month."""
    today = datetime.now(UTC).date().replace(day=1)
    for _ in range(number):
        today = (today - timedelta(days=1)).replace(day=1)
    return today


async def contracts(journal: Journal, days: Mapping[str, int | None] = DAYS) -> None:
    """Contracts, the retention of which was set some time ago."""
    async with journal.owner() as owner:
        await owner.execute(
            "INSERT INTO organisations VALUES ('uji', '', '', false, now()) ON CONFLICT DO NOTHING"
        )
        for type_, each in days.items():
            await owner.execute(
                "INSERT INTO contracts (type, owner, title, description, pattern, classification, "
                "ordering_key, ordering_description, created, retention_days, retention_changed) "
                "VALUES ($1, 'uji', '', '', 'publish-subscribe', 'public', 'id', '', now(), $2, "
                "now() - interval '8 days')",
                type_,
                each,
            )


async def fill(journal: Journal, month: date, *types: str, shard: int = 0, times: int = 1) -> None:
    """Entries in a month, one of each type again and again, with an origin in turns; relayed."""
    async with journal.owner() as owner, owner.transaction():
        await owner.fetchval("SELECT journal_create_partition($1)", month)
        last = await owner.fetchval("SELECT last FROM journal_shards WHERE shard = $1", shard)
        await owner.execute(_ORIGINS, list(types))
        await owner.execute(
            _ENTRIES,
            shard,
            last,
            month,
            list(types),
            len(types) * times,
        )
        await owner.execute(
            "UPDATE journal_shards SET last = last + $2, recorded = greatest(recorded, "
            "(SELECT max(recorded) FROM journal_entries WHERE shard = $1)) WHERE shard = $1",
            shard,
            len(types) * times,
        )
        await owner.execute("UPDATE journal_leases SET cursor_sequence = 1000000000")


async def a_week_ago(journal: Journal) -> None:
    """What was changed was changed some time ago."""
    await journal.execute(
        "ALTER TABLE contracts DISABLE TRIGGER contracts_note_retention_change;"
        "UPDATE contracts SET retention_changed = now() - interval '8 days';"
        "ALTER TABLE contracts ENABLE TRIGGER contracts_note_retention_change"
    )


async def kept(journal: Journal) -> dict[tuple[str, str], int]:
    """How many entries there are, by month and type."""
    rows = await journal.pool.fetch(
        "SELECT to_char(recorded AT TIME ZONE 'UTC', 'YYYY-MM'), type, count(*) "
        "FROM journal_entries GROUP BY 1, 2"
    )
    return {(month, type_): count for month, type_, count in rows}


def retention_url(database_url: str, postgres: Postgres) -> str:
    """The login that is for retention alone, on a database."""
    path = urlsplit(database_url).path
    return urlunsplit(urlsplit(postgres.retention_url)._replace(path=path))


class Retention:
    """Runs with the login that is for retention alone."""

    def __init__(self, journal: Journal, postgres: Postgres) -> None:
        self.url = retention_url(journal.url, postgres)

    async def connect(self) -> asyncpg.Connection:
        """One more connection."""
        return await asyncpg.connect(self.url)

    async def run(self, *, step: int = 7) -> None:
        """One run, in steps that are too small to do all at once."""
        await RetentionWorker(self.connect, Stop(), step=step).run_once()
