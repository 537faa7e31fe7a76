"""A projection for tests: it counts the events of each subject and adds their numbers."""

from typing import ClassVar

from consumers.events import Event
from consumers.projection import Projection, live, on
from consumers.projection.definition import Connection
from tests.integration.projections.memory_feed import COUNTED, OTHER

TABLES = """
CREATE TABLE counts (
    subject text PRIMARY KEY, events int NOT NULL, last text NOT NULL,
    total int NOT NULL CONSTRAINT not_negative CHECK (total >= 0)
)
"""


class Counting(Projection):
    """Counts. A total below zero is refused by the table."""

    name = "counting"
    version = 1
    tables = TABLES

    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []
        self.broken: set[str] = set()
        self.failing_effects = 0

    @on(COUNTED)
    async def count(self, event: Event, connection: Connection) -> None:
        if event.subject in self.broken:
            raise LookupError("a secret of the event")
        await connection.execute(
            "INSERT INTO counts (subject, events, last, total) VALUES ($1, 0, '', 0) "
            "ON CONFLICT DO NOTHING",
            event.subject,
        )
        await connection.execute(
            "UPDATE counts SET events = events + 1, last = $2, total = total + $3 "
            "WHERE subject = $1",
            event.subject,
            event.id,
            event.data["n"],
        )

    @live(COUNTED)
    async def send(self, event: Event, key: str) -> None:
        if self.failing_effects:
            self.failing_effects -= 1
            raise ConnectionError("the SMS centre is away")
        self.sent.append((event.id, key))


class Doubling(Counting):
    """Version 2 has a different total and one more column."""

    version = 2
    tables: ClassVar[str] = TABLES.replace(
        "events int", "doubled int NOT NULL DEFAULT 0, events int"
    )

    async def count(self, event: Event, connection: Connection) -> None:
        await super().count(event, connection)
        await connection.execute(
            "UPDATE counts SET doubled = 2 * events WHERE subject = $1", event.subject
        )

    @on(OTHER)
    async def other(self, event: Event, connection: Connection) -> None:
        await connection.execute("UPDATE counts SET events = events")
