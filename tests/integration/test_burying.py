"""Dead letters in the database, where a subscriber is quicker than whoever sends again."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from gateway.base.database import Database
from gateway.contracts import Failure
from gateway.delivery.store import Burial, DeadLetters, Wanted
from gateway.journal import Position


def a_burial(name: str) -> Burial:
    spot, recorded = Position(0, 1), datetime(2026, 5, 4, tzinfo=UTC)
    return Burial(("uji", name), spot, recorded, "id.go.uji.a.b.v1", Failure.REJECTED, "x", 1)


@pytest.fixture
async def letters(database_url: str) -> AsyncIterator[DeadLetters]:
    database = await Database.open(database_url, connections=1, timeout=10)
    yield DeadLetters(database.pool, timeout=10)
    await database.close()


async def test_what_a_queue_gave_up_twice_is_one_dead_letter(letters: DeadLetters) -> None:
    burial = a_burial("dua-kali")
    await letters.bury([burial, burial._replace(attempts=2), burial._replace(spot=Position(0, 2))])
    found = await letters.page(Wanted(subscription="dua-kali", state="dead"), after=0, limit=10)
    assert {(letter.spot, letter.attempts) for letter in found} == {
        (Position(0, 1), 2),
        (Position(0, 2), 1),
    }
    assert len(found) == 2


async def test_what_dies_again_before_its_redrive_is_noted_stays_dead(letters: DeadLetters) -> None:
    burial, wanted = a_burial("lagi"), Wanted(subscription="lagi", state="dead")
    await letters.bury([burial])
    (read,) = await letters.page(wanted, after=0, limit=10)
    await letters.bury([burial])  # it was sent, and rejected at once
    assert await letters.redriven([read], by="client") == set()
    (read,) = await letters.page(wanted, after=0, limit=10)
    assert len(await letters.attempts(read)) == 2
    assert await letters.redriven([read], by="client") == {read.number}
