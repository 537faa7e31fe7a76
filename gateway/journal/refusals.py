"""Refusals: events that were not accepted, and why. Kept as evidence, without their data."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import asyncpg
import msgspec
from prometheus_client import Counter

from gateway.base.database import OUTAGES, database_errors
from gateway.base.errors import ContractViolation, JournalUnavailable, Refused, Violation
from gateway.base.event import Event
from gateway.base.masking import mask
from gateway.base.rate_limit import KeyedBuckets, RateLimit
from gateway.base.telemetry import METRICS
from gateway.journal import sql
from gateway.journal.group_commit import commit_apart

QUEUED = 10_000  # refusals that may wait to be written; each is at most a few kilobytes
# Of one organisation, per process. Evidence is a sample then: two million rows a day, not more.
RATE = RateLimit(rate=20.0, burst=10_000)
NOT_KEPT = Counter(
    "nusabus_refusals_not_kept",
    "Refusals that were answered but not stored, because their organisation had too many",
    registry=METRICS,
)
_NOT_RECORDED = "The refusal could not be recorded. Try again."
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(list[Violation]).decode


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refused event, its sender and the reason. `digest` is that of the bytes that were sent."""

    client: str
    organisation: str
    type: str | None
    source: str | None
    id: str | None
    reason: str
    detail: str
    violations: tuple[Violation, ...]
    digest: bytes

    @classmethod
    def from_error(
        cls, sender: tuple[str, str], event: Event | None, error: Refused, digest: bytes
    ) -> "Refusal":
        """The refusal to record for an error. `sender` is a client and its organisation."""
        return cls(
            *sender,
            event.type if event else None,
            event.source if event else None,
            event.id if event else None,
            error.code,
            mask(str(error)),
            error.violations if isinstance(error, ContractViolation) else (),
            digest,
        )


_Waiting = tuple[Sequence[Refusal], asyncio.Future[None]]


@dataclass(frozen=True, slots=True)
class RecordedRefusal:
    """A recorded refusal."""

    number: int
    recorded: datetime
    refusal: Refusal


class Refusals:
    """Writes refusals in groups through a connection of its own, and lists them."""

    def __init__(
        self,
        connect: Callable[[], Awaitable[asyncpg.Connection]],
        pool: asyncpg.Pool,
        *,
        timeout: float,
    ) -> None:
        self._connect = connect
        self._pool = pool
        self._timeout = timeout
        self._queue: list[_Waiting] = []
        self._queued = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._rates = KeyedBuckets(RATE)

    def start(self) -> None:
        """Start the writing task."""
        self._task = asyncio.create_task(self._run(), name="refusals")

    async def close(self) -> None:
        """Stop writing. Callers whose refusals are not written get JournalUnavailable."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        _complete(self._queue, JournalUnavailable(_NOT_RECORDED))

    async def record(self, refusals: Sequence[Refusal]) -> None:
        """Record refusals of one organisation durably, or count those that it has too many of.

        Raises JournalUnavailable when that is not certain.
        """
        organisation = refusals[0].organisation if refusals else None
        if self._rates.wait(organisation):
            NOT_KEPT.inc(len(refusals))
            return
        self._rates.spend(organisation, len(refusals))
        if sum(len(each) for each, _ in self._queue) + len(refusals) > QUEUED:
            raise JournalUnavailable(_NOT_RECORDED)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append((refusals, done))
        self._queued.set()
        try:
            async with asyncio.timeout(self._timeout):
                await done
        except TimeoutError:
            raise JournalUnavailable(_NOT_RECORDED) from None

    async def page(
        self,
        organisation: str | None,
        *,
        before: int,
        type: str | None,
        reason: str | None,
        limit: int,
    ) -> list[RecordedRefusal]:
        """Refusals of one organisation or of all, the newest first, with numbers below `before`."""
        with database_errors(JournalUnavailable):
            rows = await self._pool.fetch(
                sql.REFUSALS, organisation, before, type, reason, limit, timeout=self._timeout
            )
        return [RecordedRefusal(row[0], row[1], _refusal(row)) for row in rows]

    async def _run(self) -> None:
        connection: asyncpg.Connection | None = None
        try:
            while True:
                await self._queued.wait()
                self._queued.clear()
                group, self._queue = self._queue, []
                try:
                    if connection is None or connection.is_closed():
                        connection = await self._connect()
                    write = partial(_write, connection, timeout=self._timeout)
                    await commit_apart(group, write, _fail)
                except OUTAGES:
                    _complete(group, JournalUnavailable(_NOT_RECORDED))
                except Exception as error:  # report it to the waiting callers
                    _complete(group, error)
        finally:
            if connection is not None:
                connection.terminate()


def _refusal(row: Any) -> Refusal:
    client, organisation, type_, source, id_, reason, detail, violations, digest = row[2:]
    found = tuple(_decode(violations))
    return Refusal(client, organisation, type_, source, id_, reason, detail, found, digest)


async def _write(
    connection: asyncpg.Connection, group: Sequence[_Waiting], *, timeout: float
) -> None:
    await connection.execute(sql.REFUSE, *_columns(group), timeout=timeout)
    _complete(group, None)


def _columns(group: Sequence[_Waiting]) -> list[list[object]]:
    rows = [
        (
            r.client,
            r.organisation,
            r.type,
            r.source,
            r.id,
            r.reason,
            r.detail,
            _encode(r.violations).decode(),
            r.digest,
        )
        for refusals, _ in group
        for r in refusals
    ]
    return [list(column) for column in zip(*rows, strict=True)]


def _fail(waiting: _Waiting, error: Exception) -> None:
    _complete([waiting], error)


def _complete(group: Sequence[_Waiting], error: Exception | None) -> None:
    for _, done in group:
        if done.done():
            continue
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)
