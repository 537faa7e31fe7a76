"""Shares quotas among the api processes: each reports and learns a few times a second.

While PostgreSQL is away each process goes on with the share that it had.
"""

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import asyncpg

from gateway.base.database import DatabaseUnavailable, database_errors
from gateway.base.transactions import Transactions
from gateway.identity import OF_CLIENTS, RATES, Directory, Quota
from gateway.quotas.limiter import Limiter
from gateway.quotas.meters import Key, Meter, RateMeter

EVERY = 0.2  # seconds between two reports
_TIMEOUT = 5.0  # seconds for one report
_GONE = 3.0  # seconds after which a silent process is gone
_FORGET_EVERY = 300  # reports between two looks for rows of processes that are gone

# The new tokens are what the bucket holds by now, at most the burst, less what was spent. The
# row to insert holds a full bucket less what was spent, so `burst - tokens` of it is that.
_SPEND = """
INSERT INTO quota_buckets AS b (subject, quota, tokens, rate, burst, at)
SELECT subject, quota, burst - spent, rate, burst, clock_timestamp()
FROM unnest($1::text[], $2::text[], $3::float8[], $4::float8[], $5::float8[])
    AS given (subject, quota, rate, burst, spent)
ORDER BY subject, quota
ON CONFLICT (subject, quota) DO UPDATE SET
    tokens = least(
        excluded.burst,
        b.tokens + extract(epoch FROM clock_timestamp() - b.at) * excluded.rate
    ) - (excluded.burst - excluded.tokens),
    rate = excluded.rate, burst = excluded.burst, at = clock_timestamp()
RETURNING subject, quota, tokens
"""
_REPORT = """
INSERT INTO quota_reports AS r (subject, quota, process, in_use, spending, used, refused, seen)
SELECT subject, quota, $1, in_use, spending, used, refused, clock_timestamp()
FROM unnest($2::text[], $3::text[], $4::int[], $5::bool[], $6::float8[], $7::bigint[])
    AS given (subject, quota, in_use, spending, used, refused)
ORDER BY subject, quota
ON CONFLICT (subject, quota, process) DO UPDATE SET
    in_use = excluded.in_use, spending = excluded.spending, used = excluded.used,
    refused = excluded.refused, seen = clock_timestamp()
"""
_OTHERS = """
SELECT subject, quota, sum(in_use)::int, count(*) FILTER (WHERE spending OR subject = '')::int
FROM quota_reports
WHERE process <> $1 AND seen > clock_timestamp() - $2 * interval '1 second'
  AND (in_use > 0 OR spending OR subject = '')
GROUP BY subject, quota
"""
_FORGET = "DELETE FROM quota_reports WHERE seen < clock_timestamp() - interval '1 minute'"
_LEAVE = "DELETE FROM quota_reports WHERE process = $1"
_USAGE = """
SELECT subject, quota, sum(in_use)::int, sum(used), sum(refused)::bigint
FROM quota_reports
WHERE subject = ANY ($1) AND seen > clock_timestamp() - $2 * interval '1 second'
GROUP BY subject, quota
"""


@dataclass(frozen=True, slots=True)
class Usage:
    """How much of a quota is used.

    `client` is None for the organisation's own. `used` is what is in progress; of a rate, what was
    used within the last minute, as an average per second.
    """

    quota: Quota
    client: str | None
    limit: int
    used: float
    refused: int


class QuotaSharing(Transactions):
    """Shares what a limiter counts. Every method raises DatabaseUnavailable."""

    def __init__(self, limiter: Limiter, pool: asyncpg.Pool, *, process: str) -> None:
        super().__init__(pool, timeout=_TIMEOUT)
        self.limiter = limiter
        self._process = process
        self._reported: dict[Key, tuple[float, int, int, bool]] = {}
        self._runs = 0

    async def run_once(self) -> None:
        """Report what has changed, and take a share of what is left."""
        rates = self._spent()
        meters = tuple(self.limiter.meters.values())
        with database_errors():
            async with asyncio.timeout(_TIMEOUT), self.transaction(flush=False) as connection:
                left = await connection.fetch(_SPEND, *_columns(rates, 5)) if rates else ()
                await connection.execute(_REPORT, self._process, *self._report(meters, rates))
                others = await connection.fetch(_OTHERS, self._process, _GONE)
                if self._runs % _FORGET_EVERY == 0:
                    await connection.execute(_FORGET)
        self._runs += 1
        self._learn(left, others)

    async def leave(self) -> None:
        """The process ends: what it had in progress is free at once."""
        with suppress(DatabaseUnavailable):
            await self.fetch(_LEAVE, self._process)

    async def usage(self, directory: Directory, organisation: str) -> list[Usage]:
        """What an organisation and its clients use, as the processes last reported it."""
        clients = {
            id: each
            for id, each in directory.clients.items()
            if each.organisation == organisation and each.quotas
        }
        subjects = [f"o/{organisation}", *(f"c/{id}" for id in clients)]
        found = {
            (subject, Quota(quota)): (in_use, used, refused)
            for subject, quota, in_use, used, refused in await self.fetch(_USAGE, subjects, _GONE)
        }
        own = subjects[0]
        limits = {(own, quota): directory.quota(organisation, quota) for quota in OF_CLIENTS}
        limits |= {
            (f"c/{id}", Quota(quota)): limit
            for id, each in clients.items()
            for quota, limit in each.quotas.items()
        }
        return [_usage(key, limit, *found.get(key, (0, 0.0, 0))) for key, limit in limits.items()]

    def _spent(self) -> list[tuple[str, str, float, float, float]]:
        """The rates of which something was spent, or whose debt is being paid."""
        rows: list[tuple[str, str, float, float, float]] = []
        for meter in self.limiter.meters.values():
            if isinstance(meter, RateMeter):
                spent = meter.bucket.report()
                meter.minute.add(spent, 0)
                if spent or meter.wait > 0:
                    limit = meter.bucket.limit
                    rows.append((*meter.key, limit.rate, limit.burst, spent))
        return rows

    def _report(
        self, meters: Sequence[Meter], rates: Sequence[tuple[str, str, float, float, float]]
    ) -> list[list[object]]:
        spending = {(subject, quota) for subject, quota, *_ in rates}
        rows: list[tuple[object, ...]] = [("", "", 0, False, 0.0, 0)]  # the process lives
        for meter in meters:
            refused, meter.refused = meter.refused, 0
            meter.minute.add(0.0, refused)
            used, refused = meter.minute.totals
            in_use = 0 if isinstance(meter, RateMeter) else meter.in_use
            row = (used, refused, in_use, meter.key in spending)
            if any(row) or self._reported.get(meter.key) != row:
                rows.append((*meter.key, in_use, meter.key in spending, used, refused))
            self._reported[meter.key] = row
        return _columns(rows, 6)

    def _learn(
        self,
        left: Iterable[Any],
        others: Sequence[Any],
    ) -> None:
        """`left` has the tokens of each bucket, `others` what the other processes have and do."""
        in_use = {(subject, quota): used for subject, quota, used, _ in others}
        count = {(subject, quota): count for subject, quota, _, count in others}
        self.limiter.processes = count.get(("", ""), 0) + 1
        self.limiter.elsewhere = in_use
        for subject, quota, tokens in left:
            meter = self.limiter.meters[subject, Quota(quota)]
            assert isinstance(meter, RateMeter)  # noqa: S101 - it was reported as one
            meter.bucket.reconcile(tokens, count.get(meter.key, 0) + 1)
        for place in self.limiter.places:
            place.reconcile(in_use.get(place.key, 0), self.limiter.processes)


def _usage(key: Key, limit: int, in_use: int, used: float, refused: int) -> Usage:
    subject, quota = key
    client = subject[2:] if subject.startswith("c/") else None
    return Usage(quota, client, limit, used / 60 if quota in RATES else in_use, refused)


def _columns(rows: Sequence[tuple[object, ...]], count: int) -> list[list[object]]:
    return [[row[at] for row in rows] for at in range(count)]
