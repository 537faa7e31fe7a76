"""Reports to the owner of a type what could not be delivered, where the contract says so."""

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID, uuid5

import msgspec

from gateway.base.errors import NusabusError, Refused
from gateway.base.event import Event
from gateway.base.snapshot import Snapshot
from gateway.base.stop import Stop
from gateway.base.telemetry import log
from gateway.base.times import rfc3339
from gateway.contracts import Catalogue
from gateway.delivery.store import DeadLetter, DeadLetters, Told
from gateway.journal import Candidate, JournalWriter, Position

LOOK = 1.0  # seconds between two looks
PIECE = 200
SOURCE = "/nusabus/non-delivery"
_encode = msgspec.json.Encoder().encode
Validator = Callable[[Event], Candidate]


class NonDeliveryReporter:
    """One event for each dead letter, once: its id follows from the dead letter.

    It is stored before that is noted, so what is broken off is stored again, as the same event. One
    at work at a time, see `responsible`; two would do no harm.
    """

    def __init__(
        self,
        letters: DeadLetters,
        catalogue: Snapshot[Catalogue],
        writer: JournalWriter,
        judge: Validator,
        *,
        responsible: Callable[[], bool],
    ) -> None:
        self._letters = letters
        self._catalogue = catalogue
        self._writer = writer
        self._judge = judge
        self._responsible = responsible

    async def run(self, stop: Stop) -> None:
        """Go on until stopped."""
        failing = ""
        while await stop.sleep(LOOK):
            try:
                while self._responsible() and await self._look() == PIECE and not stop:
                    pass
                failing = ""
            except NusabusError as error:
                if str(error) != failing:
                    log().warning("non_delivery.waits", reason=str(error))
                failing = str(error)

    async def _look(self) -> int:
        """Decide about the next dead letters; how many."""
        letters = await self._letters.unreported(PIECE)
        decided: list[Told] = []
        wanted: list[tuple[DeadLetter, Candidate]] = []
        for letter in letters:
            contract = self._catalogue.value.contract(letter.type)
            type = contract.non_delivery_report if contract else None
            if type is None:
                decided.append(Told(letter.number, "none"))
                continue
            try:
                wanted.append((letter, self._judge(_event(letter, type))))
            except Refused as error:
                decided.append(Told(letter.number, "refused"))
                log().error(
                    "non_delivery.refused", number=letter.number, type=type, reason=str(error)
                )
        await self._letters.reported([*decided, *await self._store(wanted)])
        return len(letters)

    async def _store(self, wanted: Sequence[tuple[DeadLetter, Candidate]]) -> list[Told]:
        if not wanted:
            return []
        places = await self._writer.append([candidate for _, candidate in wanted])
        log().info("non_delivery.sent", count=len(places))
        return [
            Told(letter.number, "sent", Position(place.shard, place.sequence))
            for (letter, _), place in zip(wanted, places, strict=True)
        ]


def _event(letter: DeadLetter, type: str) -> Event:
    """The report. The key itself stays hidden: the id of a correction is made of it."""
    attributes = {"datacontenttype": "application/json", "time": rfc3339(letter.died)}
    if letter.event is not None:
        attributes["causationid"] = letter.event
    return Event(
        str(uuid5(UUID(letter.key), type)),
        SOURCE,
        type,
        f"{letter.organisation}/{letter.subscription}",
        attributes,
        _encode(report(letter)),
    )


def report(letter: DeadLetter) -> dict[str, Any]:
    """The data of the report; a dead letter always gives the same."""
    return {
        "dead_letter": letter.number,
        "organisation": letter.organisation,
        "subscription": letter.subscription,
        "shard": letter.spot.shard,
        "sequence": letter.spot.sequence,
        "source": letter.source or "",
        "id": letter.event or "",
        "type": letter.type,
        "failure": letter.failure.value,
        "attempts": letter.attempts,
        "died": rfc3339(letter.died),
    }
