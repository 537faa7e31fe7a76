"""Appends by group commit: requests that arrive during one commit share the next one."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial

import asyncpg
from prometheus_client import Histogram

from gateway.base.database import OUTAGES
from gateway.base.errors import IdentifierReused, JournalUnavailable, Overloaded
from gateway.base.fair_queue import FairQueue
from gateway.base.neighbours import Neighbours
from gateway.base.telemetry import METRICS
from gateway.journal.append import append_once
from gateway.journal.checkpoints import Checkpoint
from gateway.journal.entry import Appended, Candidate
from gateway.journal.group_commit import commit_apart
from gateway.journal.incarnation import RESTORING, Incarnation
from gateway.journal.reader import JournalReader
from gateway.journal.repeats import OtherContent, Repeats
from gateway.journal.write_probe import WriteProbe

GROUP = 500  # events; a commit takes no more requests then: 15 ms of work, measured
SHARED = 100  # the same while several organisations publish: 2 ms more than a single event takes
SHORT = 20  # the same while the process is overloaded besides: CPU is short, and they wait longer
RETRIES = 3
QUEUED = 10_000  # requests that may wait for a commit: more than admission lets in
QUEUE = Histogram(
    "nusabus_journal_queue_seconds",
    "How long the oldest append of each commit had waited for it",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
    registry=METRICS,
)
_UNKNOWN = "The journal did not confirm the commit. Publish again with the same id."

# Another append stored the same event in another shard meanwhile, or two waited for each other.
_RACES = (asyncpg.UniqueViolationError, asyncpg.DeadlockDetectedError)
# The last while the journal is restored, or was: the next connection enters it first.
_UNCONFIRMED: tuple[type[BaseException], ...] = (*OUTAGES, JournalUnavailable, *RESTORING)


@dataclass(slots=True)
class _AppendRequest:
    """`spellings` is None unless atomic: pairs of digests that stand for the same event."""

    candidates: Sequence[Candidate]
    spellings: Collection[tuple[bytes, bytes]] | None
    appended: asyncio.Future[list[Appended]]
    since: float
    checkpoint: Checkpoint | None = None

    @property
    def atomic(self) -> bool:
        return self.spellings is not None


class JournalWriter:
    """Appends to the journal through `writers` connections of its own, one commit on each.

    Publishers take turns (that of the first event counts), so that none waits for the queue of
    another, and while there are several, commits are short: a request may then take more than one,
    in its order, unless it is atomic.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[asyncpg.Connection]],
        *,
        shards: int,
        writers: int,
        timeout: float,
        reader: JournalReader,
        incarnation: Incarnation,
        on_commit: Callable[[], None] = lambda: None,
        overloaded: Callable[[], bool] = lambda: False,
    ) -> None:
        """`on_commit` is called after each commit; `timeout` is in seconds.

        `overloaded` says whether the process refuses requests, because it has too much to do.
        `reader` reads events that are published again in another spelling. Each connection has
        entered `incarnation`.
        """
        self._connect = connect
        self._shards = shards
        self._incarnation = incarnation
        self._timeout = timeout
        self._on_commit = on_commit
        self._overloaded = overloaded
        self.probe = WriteProbe(connect, shards=shards, timeout=timeout)
        self._repeats = Repeats(reader)
        self._queue: FairQueue[_AppendRequest] = FairQueue(SHORT)
        self._neighbours = Neighbours()
        self._queued = asyncio.Event()
        self._writers = writers
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Start the committing tasks."""
        self._tasks = [
            asyncio.create_task(self._run(), name=f"journal-writer-{n}")
            for n in range(self._writers)
        ]

    async def close(self) -> None:
        """Stop committing. Callers that wait get JournalUnavailable: their outcome is unknown."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        _fail([self._queue.pop() for _ in range(len(self._queue))], JournalUnavailable(_UNKNOWN))

    async def append(
        self,
        candidates: Sequence[Candidate],
        *,
        atomic: bool = False,
        checkpoint: Checkpoint | None = None,
    ) -> list[Appended]:
        """Store each event once and return the results, in the order given.

        Once this returns, the events are durable. An event that was stored before keeps its
        position and its bytes and is marked as duplicate; `same` tells whether it is this event.
        With `atomic`, an identity that belongs to another event raises IdentifierReused and
        nothing is stored. Raises Invalid for an event that the database does not take, whoever
        else is in the same commit; Overloaded before anything is stored, when too many wait;
        JournalUnavailable when the outcome is unknown, after at most twice the timeout. What
        earlier commits of the same call have stored stays.
        Without `atomic`, `checkpoint` is stored in the transaction of the last commit.
        """
        if not candidates:
            return []
        if len(self._queue) >= QUEUED:
            raise Overloaded("Too many events wait for the journal. Publish again later.")
        self._neighbours.saw(candidates[0].publisher)
        since = asyncio.get_running_loop().time()  # of all parts: they take no longer than one
        if atomic:
            return await self._append_all(candidates, since)
        size = self._shared() if self._neighbours.several else len(candidates)
        results: list[Appended] = []
        for start in range(0, len(candidates), size):
            last = start + size >= len(candidates)
            results += await self._request(
                candidates[start : start + size], since, checkpoint=checkpoint if last else None
            )
        return await self._repeats.marked(candidates, results)

    async def _append_all(self, candidates: Sequence[Candidate], since: float) -> list[Appended]:
        """One commit, or nothing. What is stored in another spelling is compared between tries."""
        spellings: set[tuple[bytes, bytes]] = set()
        while True:
            try:
                return await self._request(candidates, since, spellings)
            except OtherContent as found:
                for candidate, appended in found.pairs:
                    if not await self._repeats.same(candidate, appended, candidates):
                        raise IdentifierReused from None
                    spellings.add((candidate.event.digest, appended.digest))

    async def _request(
        self,
        part: Sequence[Candidate],
        since: float,
        spellings: Collection[tuple[bytes, bytes]] | None = None,
        checkpoint: Checkpoint | None = None,
    ) -> list[Appended]:
        appended = asyncio.get_running_loop().create_future()
        request = _AppendRequest(part, spellings, appended, since, checkpoint)
        self._queue.push(part[0].publisher, request, len(part))
        self._queued.set()
        return await request.appended

    def _shared(self) -> int:
        return SHORT if self._overloaded() else SHARED

    async def _run(self) -> None:
        connection: asyncpg.Connection | None = None
        try:
            while True:
                await self._queued.wait()
                group = self._take()
                if group:
                    connection = await self._commit_group(connection, group)
        finally:
            _drop(connection)

    def _take(self) -> list[_AppendRequest]:
        """The requests of the next commit. An atomic request is alone."""
        group: list[_AppendRequest] = []
        size = 0
        oldest = asyncio.get_running_loop().time() - self._timeout
        most = self._shared() if self._neighbours.several else GROUP
        while self._queue and size < most:
            if group and self._queue.peek().atomic:
                break
            request = self._queue.pop()
            if request.appended.done():
                continue  # the caller gave up before anything was written
            if request.since < oldest:
                _fail([request], JournalUnavailable(_UNKNOWN))
                continue
            group.append(request)
            size += len(request.candidates)
            if request.atomic:
                break
        if not self._queue:
            self._queued.clear()
        if group:
            QUEUE.observe(asyncio.get_running_loop().time() - group[0].since)
        return group

    async def _commit_group(
        self, connection: asyncpg.Connection | None, group: list[_AppendRequest]
    ) -> asyncpg.Connection | None:
        """Commit and answer; return the connection if the next commit can use it."""
        try:
            async with asyncio.timeout(self._timeout):
                if connection is None or connection.is_closed():
                    connection = await self._connect()
                commit = partial(
                    _commit, connection, shards=self._shards, incarnation=self._incarnation
                )
                await commit_apart(group, commit, _fail_one)
                self._on_commit()
                return connection
        except _UNCONFIRMED:
            _fail(group, JournalUnavailable(_UNKNOWN))
            self.probe.doubt()
        except asyncio.CancelledError:
            _fail(group, JournalUnavailable(_UNKNOWN))
            _drop(connection)
            raise
        except Exception as error:  # report it to the waiting callers
            _fail(group, error)
        _drop(connection)
        return None


def _drop(connection: asyncpg.Connection | None) -> None:
    if connection is not None:
        connection.terminate()


def _fail(group: Sequence[_AppendRequest], error: Exception) -> None:
    for request in group:
        _fail_one(request, error)


def _fail_one(request: _AppendRequest, error: Exception) -> None:
    if not request.appended.done():
        request.appended.set_exception(error)


async def _commit(
    connection: asyncpg.Connection,
    group: Sequence[_AppendRequest],
    *,
    shards: int,
    incarnation: Incarnation,
) -> None:
    """Append and answer. A failure leaves nothing behind, and the connection usable."""
    candidates = [c for request in group for c in request.candidates]
    checkpoints = [request.checkpoint for request in group if request.checkpoint is not None]
    for attempt in range(RETRIES):
        try:
            if (spellings := group[0].spellings) is not None:
                async with connection.transaction():
                    results, newest = await append_once(connection, candidates, shards)
                    _require_same(candidates, results, spellings)
            else:
                results, newest = await append_once(connection, candidates, shards, checkpoints)
            break
        except _RACES:
            if attempt == RETRIES - 1:
                raise JournalUnavailable(_UNKNOWN) from None
    incarnation.saw(newest)
    start = 0
    for request in group:
        end = start + len(request.candidates)
        if not request.appended.done():
            request.appended.set_result(results[start:end])
        start = end


def _require_same(
    candidates: Sequence[Candidate],
    results: Sequence[Appended],
    spellings: Collection[tuple[bytes, bytes]],
) -> None:
    """Raises OtherContent, which ends the transaction before anything is compared."""
    other = [
        (candidate, appended)
        for candidate, appended in zip(candidates, results, strict=True)
        if candidate.event.digest != appended.digest
        and (candidate.event.digest, appended.digest) not in spellings
    ]
    if other:
        raise OtherContent(other)
