"""Group commit: what has gathered while one commit was under way goes into the next, together."""

import asyncio
import zlib
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg
import msgspec

from gateway.base.database import OUTAGES
from gateway.base.errors import IdentifierReused, JournalUnavailable
from gateway.journal import sql
from gateway.journal.entry import Appended, Candidate

GROUP = 500  # events after which a commit takes no further request: 15 ms of work, measured
RETRIES = 3
_UNKNOWN = "the journal did not confirm the commit: publish again with the same id"
_encode = msgspec.json.Encoder().encode

# Another append stored the same event in another shard meanwhile, or locks were taken crosswise.
_RACES = (asyncpg.UniqueViolationError, asyncpg.DeadlockDetectedError)


@dataclass(slots=True)
class _Request:
    candidates: Sequence[Candidate]
    atomic: bool
    places: asyncio.Future[list[Appended]]
    since: float


class JournalWriter:
    """Appends to the journal through `writers` connections of its own, one commit on each.

    A request is never split: its events are committed together or not at all.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[asyncpg.Connection]],
        *,
        shards: int,
        writers: int,
        timeout: float,
        appended: Callable[[], None] = lambda: None,
    ) -> None:
        """`appended` is called after each commit."""
        self._connect = connect
        self._shards = shards
        self._timeout = timeout
        self._appended = appended
        self._queue: deque[_Request] = deque()
        self._gathered = asyncio.Event()
        self._writers = writers
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to commit."""
        self._tasks = [
            asyncio.create_task(self._run(), name=f"journal-writer-{n}")
            for n in range(self._writers)
        ]

    async def close(self) -> None:
        """Finish nothing more: what was not confirmed is unknown to its caller."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        _fail(list(self._queue), JournalUnavailable(_UNKNOWN))
        self._queue.clear()

    async def append(
        self, candidates: Sequence[Candidate], *, atomic: bool = False
    ) -> list[Appended]:
        """Store each event once and return their places, in the order given.

        Once this returns the events are durable. An event that was stored before keeps its place
        and is marked duplicate; compare digests to learn whether it is the same event. With
        `atomic`, an identity that another event holds raises IdentifierReused and stores nothing.
        Raises JournalUnavailable when the outcome is unknown, after twice the timeout at most.
        """
        loop = asyncio.get_running_loop()
        request = _Request(candidates, atomic, loop.create_future(), loop.time())
        self._queue.append(request)
        self._gathered.set()
        return await request.places

    async def _run(self) -> None:
        connection: asyncpg.Connection | None = None
        try:
            while True:
                await self._gathered.wait()
                group = self._take()
                if group:
                    connection = await self._commit_group(connection, group)
        finally:
            _drop(connection)

    def _take(self) -> list[_Request]:
        """As many whole requests as one commit should hold. An atomic one is alone."""
        group: list[_Request] = []
        size = 0
        oldest = asyncio.get_running_loop().time() - self._timeout
        while self._queue and size < GROUP:
            if group and self._queue[0].atomic:
                break
            request = self._queue.popleft()
            if request.places.done():
                continue  # its caller gave up before anything was written
            if request.since < oldest:
                _fail([request], JournalUnavailable(_UNKNOWN))
                continue
            group.append(request)
            size += len(request.candidates)
            if request.atomic:
                break
        if not self._queue:
            self._gathered.clear()
        return group

    async def _commit_group(
        self, connection: asyncpg.Connection | None, group: list[_Request]
    ) -> asyncpg.Connection | None:
        """Commit and answer; returns the connection while it is fit for the next commit."""
        try:
            async with asyncio.timeout(self._timeout):
                if connection is None or connection.is_closed():
                    connection = await self._connect()
                await _commit(connection, group, self._shards)
                self._appended()
                return connection
        except IdentifierReused as error:
            _fail(group, error)  # it was rolled back: the connection is fit
            return connection
        except OUTAGES:
            _fail(group, JournalUnavailable(_UNKNOWN))
        except asyncio.CancelledError:
            _fail(group, JournalUnavailable(_UNKNOWN))
            _drop(connection)
            raise
        except Exception as error:  # its callers wait for it
            _fail(group, error)
        _drop(connection)
        return None


def _drop(connection: asyncpg.Connection | None) -> None:
    if connection is not None:
        connection.terminate()


def _fail(group: Sequence[_Request], error: Exception) -> None:
    for request in group:
        if not request.places.done():
            request.places.set_exception(error)


async def _commit(connection: asyncpg.Connection, group: list[_Request], shards: int) -> None:
    candidates = [c for request in group for c in request.candidates]
    for attempt in range(RETRIES):
        try:
            if group[0].atomic:
                async with connection.transaction():
                    places = await _append(connection, candidates, shards)
                    _require_same(candidates, places)
            else:
                places = await _append(connection, candidates, shards)
            break
        except _RACES:
            if attempt == RETRIES - 1:
                raise JournalUnavailable(_UNKNOWN) from None
    start = 0
    for request in group:
        end = start + len(request.candidates)
        if not request.places.done():
            request.places.set_result(places[start:end])
        start = end


def _require_same(candidates: Sequence[Candidate], places: Sequence[Appended]) -> None:
    for candidate, place in zip(candidates, places, strict=True):
        if candidate.event.digest != place.digest:
            raise IdentifierReused(candidate.event.source, candidate.event.id)


async def _append(
    connection: asyncpg.Connection, candidates: Sequence[Candidate], shards: int
) -> list[Appended]:
    """One statement, one commit. An identity given twice is stored by its first occurrence."""
    first: dict[bytes, int] = {}
    for index, candidate in enumerate(candidates):
        first.setdefault(candidate.event.identity, index)
    rows = [_row(candidates[index], shards) for index in first.values()]
    answers = await connection.fetch(sql.APPEND, *zip(*rows, strict=True))
    stored = dict(zip(first, _places(rows, answers), strict=True))
    if len(stored) == len(candidates):
        return list(stored.values())
    places = []
    for index, candidate in enumerate(candidates):
        place = stored[candidate.event.identity]
        again = first[candidate.event.identity] != index
        places.append(_again(place) if again else place)
    return places


def _again(place: Appended) -> Appended:
    return Appended(place.shard, place.sequence, place.recorded, place.digest, True)


def _row(candidate: Candidate, shards: int) -> tuple[int, bytes, str, str, bytes | None]:
    """What sql.APPEND_FUNCTION takes of an event."""
    event = candidate.event
    return (
        zlib.crc32(event.ordering_key.encode()) % shards,
        event.identity + event.digest + (b"\1" if event.binary else b"\0"),
        f"{event.id}\n{event.source}\n{event.type}\n{event.subject or ''}\n"
        f"{candidate.client}\n{candidate.contract_version}",
        _encode(event.attributes).decode(),
        event.data,
    )


def _places(rows: Sequence[tuple[Any, ...]], answers: Sequence[Any]) -> list[Appended]:
    """Join what the append function says with its input, see sql.APPEND_FUNCTION."""
    base: dict[int, tuple[int, datetime]] = {}
    known: dict[int, Appended] = {}
    for ord_, shard, sequence, recorded, digest in answers:
        if ord_ == 0:
            base[shard] = (sequence, recorded)
        else:
            known[ord_ - 1] = Appended(shard, sequence, recorded, digest, True)
    places = []
    for index, row in enumerate(rows):
        place = known.get(index)
        if place is None:
            sequence, recorded = base[row[0]]
            sequence += 1
            base[row[0]] = (sequence, recorded)
            place = Appended(row[0], sequence, recorded, row[1][16:48], False)
        places.append(place)
    return places
