"""How far a stream has come is stored with its events, or not at all."""

import asyncio

import pytest

from gateway.base.errors import Invalid
from gateway.journal import Checkpoint, Checkpoints
from gateway.journal.checkpoints import KEPT
from tests.builders import a_candidate
from tests.integration.journal_setup import Journal


def checkpoints_of(journal: Journal) -> Checkpoints:
    return Checkpoints(journal.pool, timeout=10)


async def test_a_stream_comes_as_far_as_its_furthest_chunk(journal: Journal) -> None:
    checkpoints = checkpoints_of(journal)
    async with journal.writer() as writer:
        assert await checkpoints.stored("c", "s") == 0
        for chunk, expected in ((1, 1), (3, 3), (2, 3)):  # the last is sent again
            await writer.append([a_candidate()], checkpoint=Checkpoint("c", "s", chunk))
            assert await checkpoints.stored("c", "s") == expected
        assert await checkpoints.stored("c", "other") == 0
        assert await checkpoints.stored("other", "s") == 0


async def test_chunks_that_share_a_commit(journal: Journal) -> None:
    async with journal.writer() as writer:
        await asyncio.gather(
            writer.append([a_candidate()]),  # the others wait for its commit
            *(
                writer.append([a_candidate()], checkpoint=Checkpoint("c", stream, chunk))
                for stream in "sr"
                for chunk in (1, 2)
            ),
        )
    checkpoints = checkpoints_of(journal)
    assert [await checkpoints.stored("c", stream) for stream in "sr"] == [2, 2]


async def test_what_is_not_stored_moves_no_checkpoint(journal: Journal) -> None:
    async with journal.writer() as writer:
        with pytest.raises(Invalid):
            await writer.append([a_candidate(subject="a\0b")], checkpoint=Checkpoint("c", "s", 1))
        assert await checkpoints_of(journal).stored("c", "s") == 0
        await writer.append([], checkpoint=Checkpoint("c", "s", 1))  # all were refused
        assert await checkpoints_of(journal).stored("c", "s") == 0


async def test_a_stream_that_nobody_goes_on_with_is_forgotten(journal: Journal) -> None:
    checkpoints = checkpoints_of(journal)
    async with journal.writer() as writer:
        for stream in ("old", "young"):
            await writer.append([a_candidate()], checkpoint=Checkpoint("c", stream, 1))
    async with journal.owner() as owner:
        await owner.execute(
            "UPDATE journal_streams SET changed = changed - $1::interval WHERE stream = 'old'", KEPT
        )
    await checkpoints.forget()
    assert [await checkpoints.stored("c", stream) for stream in ("old", "young")] == [0, 1]
