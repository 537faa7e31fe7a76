"""Refusals, ended dead letters, redrives and identities go when their time is over, not before."""

import asyncpg
import pytest

from deploy.local.postgres import Postgres
from gateway.base.retention_periods import set_retention_periods
from tests.integration.journal_setup import Journal
from tests.integration.retention_setup import (
    EVER,
    SHORT,
    Retention,
    contracts,
    fill,
    months_ago,
)


@pytest.fixture
async def retention(journal: Journal, postgres: Postgres) -> Retention:
    """Contracts that keep 30 days, 300 days and for ever."""
    await contracts(journal)
    return Retention(journal, postgres)


OLD_ROWS = """
INSERT INTO refusals (recorded, client, organisation, reason, detail, violations, digest)
    SELECT now() - make_interval(days => n), 'c', 'uji', 'invalid', '', '[]', 'd'
    FROM generate_series(%(n)s, 1, -1) n;
INSERT INTO refused_replies SELECT 'r', now() - make_interval(days => n), 'uji', ''
    FROM generate_series(1, %(n)s) n;
INSERT INTO redrives (id, query, rate, state, upto, total, created_by, changed)
    SELECT n::text, '{}', 1, CASE WHEN n %% 2 = 0 THEN 'running' ELSE 'finished' END, 1, 1, 'c',
        now() - make_interval(days => n) FROM generate_series(1, %(n)s) n;
INSERT INTO dead_letters (organisation, name, shard, sequence, recorded, type, failure, detail,
    attempts, state, report, changed)
    SELECT 'uji', 'x', 0, n, now(), 't', 'rejected', '', 1, CASE WHEN n %% 2 = 0 THEN 'dead' ELSE
        'discarded' END, 'none', now() - make_interval(days => n) FROM generate_series(1, %(n)s) n;
"""
COUNTS = """
SELECT (SELECT count(*) FROM refusals), (SELECT count(*) FROM refused_replies),
       (SELECT count(*) FROM redrives), (SELECT count(*) FROM dead_letters)
"""


async def test_other_evidence_goes_when_its_time_is_over_and_not_before(
    journal: Journal, retention: Retention
) -> None:
    await journal.execute(OLD_ROWS % {"n": 40})
    await retention.run()
    assert tuple((await journal.pool.fetch(COUNTS))[0]) == (40, 40, 40, 40), "no period was set"
    async with journal.owner() as owner:
        await set_retention_periods(owner, {"refusals": 10, "dead_letters": 20})
    await retention.run()
    ended = 40 - 10  # every second is still at work, however old
    assert tuple((await journal.pool.fetch(COUNTS))[0]) == (9, 9, ended, ended)
    report = await journal.pool.fetch(
        "SELECT kind, sum(count) FROM retention_removals GROUP BY kind ORDER BY kind"
    )
    assert [tuple(row) for row in report] == [
        ("dead_letters", 10),
        ("redrives", 10),
        ("refusals", 31),
        ("refused_replies", 31),
    ]


@pytest.mark.parametrize("table", ["refusals", "refused_replies", "dead_letters"])
async def test_nobody_deletes_what_is_young(journal: Journal, table: str) -> None:
    """Not even who owns the tables and pretends to be retention."""
    await journal.execute(OLD_ROWS % {"n": 4})
    async with journal.owner() as owner:
        await set_retention_periods(owner, {"refusals": 4, "dead_letters": 4})
        await owner.execute("SET nusabus.retention = 'on'")
        for statement in ("DELETE FROM {0}", "UPDATE {0} SET organisation = ''", "TRUNCATE {0}"):
            if table == "dead_letters" and "UPDATE" in statement:
                continue
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="evidence"):
                await owner.execute(statement.format(table))
        if table == "dead_letters":
            await owner.execute("UPDATE dead_letters SET changed = '2020-01-01'")
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="evidence"):
                await owner.execute("DELETE FROM dead_letters WHERE state = 'dead'")


IDENTITIES = """
INSERT INTO journal_identities
SELECT substr(sha256(convert_to(id, 'UTF8')), 1, 16), digest, shard, sequence, recorded
FROM journal_entries
"""


async def test_a_repeat_is_known_for_its_time_and_as_long_as_the_event_is_kept(
    journal: Journal, retention: Retention
) -> None:
    await fill(journal, months_ago(14), SHORT, EVER, times=10)
    await fill(journal, months_ago(3), SHORT, times=5)
    await journal.execute(IDENTITIES)
    await retention.run()
    count = "SELECT count(*) FROM journal_identities"
    assert await journal.pool.fetchval(count) == 25, "for ever, where nothing else is said"
    async with journal.owner() as owner:
        await set_retention_periods(owner, {"identities": 200})
    await retention.run()
    assert await journal.pool.fetchval(count) == 15, "events of 14 months ago that are gone"
    left = await journal.pool.fetchval(
        "SELECT count(*) FROM journal_identities i JOIN journal_entries e "
        "USING (shard, sequence, recorded)"
    )
    assert left == 10, "what is kept is known, however old; 5 were removed 3 months after"
    async with journal.owner() as owner:
        await set_retention_periods(owner, {"identities": 30})
    await retention.run()
    assert await journal.pool.fetchval(count) == 15, "one pass a week"
    await journal.execute("UPDATE retention_pass SET began = now() - interval '8 days'")
    await retention.run()
    assert await journal.pool.fetchval(count) == 10
