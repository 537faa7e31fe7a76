"""Dead letters in the database, where a subscriber is quicker than whoever sends again."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from gateway.base.database import Database
from gateway.contracts import Failure
from gateway.delivery.store import DeadLetterQuery, DeadLetters, NewDeadLetter
from gateway.journal import Position


def a_new_dead_letter(name: str) -> NewDeadLetter:
    position, recorded = Position(0, 1), datetime(2026, 5, 4, tzinfo=UTC)
    return NewDeadLetter(
        ("uji", name), position, recorded, "id.go.uji.a.b.v1", Failure.REJECTED, "x", 1
    )


@pytest.fixture
async def dead_letters(database_url: str) -> AsyncIterator[DeadLetters]:
    database = await Database.open(database_url, connections=1, timeout=10)
    yield DeadLetters(database.pool, timeout=10)
    await database.close()


async def test_what_a_queue_gave_up_twice_is_one_dead_letter(dead_letters: DeadLetters) -> None:
    new = a_new_dead_letter("dua-kali")
    await dead_letters.add([new, new._replace(attempts=2), new._replace(position=Position(0, 2))])
    found = await dead_letters.page(
        DeadLetterQuery(subscription="dua-kali", state="dead"), after=0, limit=10
    )
    assert {(dead_letter.position, dead_letter.attempts) for dead_letter in found} == {
        (Position(0, 1), 2),
        (Position(0, 2), 1),
    }
    assert len(found) == 2


async def test_what_dies_again_before_its_redrive_is_noted_stays_dead(
    dead_letters: DeadLetters,
) -> None:
    new, query = a_new_dead_letter("lagi"), DeadLetterQuery(subscription="lagi", state="dead")
    await dead_letters.add([new])
    (read,) = await dead_letters.page(query, after=0, limit=10)
    await dead_letters.add([new])  # it was sent, and rejected at once
    assert await dead_letters.record_redriven([read], by="client") == set()
    (read,) = await dead_letters.page(query, after=0, limit=10)
    assert len(await dead_letters.attempts(read)) == 2
    assert await dead_letters.record_redriven([read], by="client") == {read.number}
