"""Dead letters in the database, where a subscriber is quicker than whoever sends again."""

from datetime import UTC, datetime

from gateway.database import Database
from gateway.deliveries import Burial, DeadLetters, Failure, Spot, Wanted

KEY = ("uji", "antrean")
BURIAL = Burial(
    KEY, Spot(0, 1), datetime(2026, 5, 4, tzinfo=UTC), "id.go.uji.a.b.v1", Failure.REJECTED, "x", 1
)


async def test_what_a_queue_gave_up_twice_is_one_dead_letter(database_url: str) -> None:
    database = await Database.open(database_url, connections=1, timeout=10)
    letters = DeadLetters(database.pool, timeout=10)
    await letters.bury([BURIAL, BURIAL._replace(attempts=2), BURIAL._replace(spot=Spot(0, 2))])
    found = await letters.page(Wanted(state="dead"), after=0, limit=10)
    assert {(letter.spot, letter.attempts) for letter in found} == {
        (Spot(0, 1), 2),
        (Spot(0, 2), 1),
    }
    assert len(found) == 2
    await database.close()


async def test_what_dies_again_before_its_redrive_is_noted_stays_dead(database_url: str) -> None:
    database = await Database.open(database_url, connections=1, timeout=10)
    letters = DeadLetters(database.pool, timeout=10)
    await letters.bury([BURIAL])
    (read,) = await letters.page(Wanted(), after=0, limit=10)
    await letters.bury([BURIAL])  # it was sent, and rejected at once
    assert await letters.redriven([read], by="client") == set()
    (read,) = await letters.page(Wanted(state="dead"), after=0, limit=10)
    assert len(await letters.attempts(read)) == 2
    assert await letters.redriven([read], by="client") == {read.number}
    await database.close()
