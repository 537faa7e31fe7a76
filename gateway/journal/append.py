"""One call of `journal_append_rows`: the rows that it takes, and what it answers."""

import zlib
from collections.abc import Sequence
from typing import Any

import asyncpg
from msgspec.structs import replace

from gateway.journal import sql
from gateway.journal.checkpoints import Checkpoint, furthest
from gateway.journal.entry import Appended, Candidate
from gateway.journal.incarnation import Newest
from gateway.journal.origins import facts_and_attributes


async def append_once(
    connection: asyncpg.Connection,
    candidates: Sequence[Candidate],
    shards: int,
    checkpoints: Sequence[Checkpoint] = (),
) -> tuple[list[Appended], Newest]:
    """One statement, one commit. Of an identity given twice, the first occurrence is stored.

    How far streams have come is stored with it, or not at all.

    Also the newest entry of each shard, once it is committed.
    """
    first: dict[bytes, int] = {}
    for index, candidate in enumerate(candidates):
        first.setdefault(candidate.event.identity, index)
    facts: dict[str, int] = {}
    rows = [_row(candidates[index], shards, facts) for index in first.values()]
    columns = (*zip(*rows, strict=True), list(facts))
    if checkpoints:
        answers = await connection.fetch(
            sql.APPEND_WITH_CHECKPOINTS, *columns, *zip(*furthest(checkpoints), strict=True)
        )
    else:
        answers = await connection.fetch(sql.APPEND, *columns)
    results, newest = _results(rows, answers)
    stored = dict(zip(first, results, strict=True))
    if len(stored) == len(candidates):
        return list(stored.values()), newest
    results = []
    for index, candidate in enumerate(candidates):
        appended = stored[candidate.event.identity]
        repeated = first[candidate.event.identity] != index
        results.append(replace(appended, duplicate=True) if repeated else appended)
    return results, newest


def _row(
    candidate: Candidate, shards: int, known: dict[str, int]
) -> tuple[int, bytes, str, str, bytes | None]:
    """The arguments of `journal_append_rows` for one event. `known` are the origins of all."""
    event = candidate.event
    facts, attributes = facts_and_attributes(candidate)
    return (
        zlib.crc32(event.ordering_key.encode()) % shards,
        event.identity + event.digest + known.setdefault(facts, len(known)).to_bytes(2),
        f"{event.id}\n{event.source}\n{event.subject or ''}",
        attributes,
        event.data,
    )


def _results(
    rows: Sequence[tuple[Any, ...]], answers: Sequence[Any]
) -> tuple[list[Appended], Newest]:
    """Join the answer of `journal_append_rows` with its input; also the newest entries."""
    base: Newest = {}
    known: dict[int, Appended] = {}
    for ord_, shard, sequence, recorded, digest in answers:
        if ord_ == 0:
            base[shard] = (sequence, recorded)
        else:
            known[ord_ - 1] = Appended(shard, sequence, recorded, digest, True)
    results = []
    for index, row in enumerate(rows):
        appended = known.get(index)
        if appended is None:
            sequence, recorded = base[row[0]]
            sequence += 1
            base[row[0]] = (sequence, recorded)
            appended = Appended(row[0], sequence, recorded, row[1][16:48], False)
        results.append(appended)
    return results, base
