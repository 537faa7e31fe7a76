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
from gateway.delivery.store import DeadLetter, DeadLetters, ReportDecision
from gateway.identity import OPERATOR
from gateway.journal import Candidate, JournalWriter, Position
from gateway.publishing import accept

LOOK = 1.0  # seconds between two looks
PIECE = 200
SOURCE = "/nusabus/non-delivery"
_encode = msgspec.json.Encoder().encode


class NonDeliveryReporter:
    """One event for each dead letter, once: its id follows from the dead letter.

    It is stored before that is noted, so what is broken off is stored again, as the same event. One
    at work at a time, see `responsible`; two would do no harm.
    """

    def __init__(
        self,
        dead_letters: DeadLetters,
        catalogue: Snapshot[Catalogue],
        writer: JournalWriter,
        *,
        responsible: Callable[[], bool],
    ) -> None:
        self._dead_letters = dead_letters
        self._catalogue = catalogue
        self._writer = writer
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
        dead_letters = await self._dead_letters.unreported(PIECE)
        decided: list[ReportDecision] = []
        wanted: list[tuple[DeadLetter, Candidate]] = []
        for dead_letter in dead_letters:
            contract = self._catalogue.value.contract(dead_letter.type)
            type = contract.non_delivery_report if contract else None
            if type is None:
                decided.append(ReportDecision(dead_letter.number, "none"))
                continue
            try:
                wanted.append((dead_letter, self._accept(_event(dead_letter, type))))
            except Refused as error:
                decided.append(ReportDecision(dead_letter.number, "refused"))
                log().error(
                    "non_delivery.refused", number=dead_letter.number, type=type, reason=str(error)
                )
        await self._dead_letters.reported([*decided, *await self._store(wanted)])
        return len(dead_letters)

    def _accept(self, event: Event) -> Candidate:
        """The gateway publishes reports itself, so the contract alone decides."""
        return accept(event, OPERATOR, self._catalogue.value)

    async def _store(self, wanted: Sequence[tuple[DeadLetter, Candidate]]) -> list[ReportDecision]:
        if not wanted:
            return []
        places = await self._writer.append([candidate for _, candidate in wanted])
        log().info("non_delivery.sent", count=len(places))
        return [
            ReportDecision(dead_letter.number, "sent", Position(place.shard, place.sequence))
            for (dead_letter, _), place in zip(wanted, places, strict=True)
        ]


def _event(dead_letter: DeadLetter, type: str) -> Event:
    """The report. The key itself stays hidden: the id of a correction is made of it."""
    attributes = {"datacontenttype": "application/json", "time": rfc3339(dead_letter.died)}
    if dead_letter.event is not None:
        attributes["causationid"] = dead_letter.event
    return Event(
        str(uuid5(UUID(dead_letter.key), type)),
        SOURCE,
        type,
        f"{dead_letter.organisation}/{dead_letter.subscription}",
        attributes,
        _encode(report(dead_letter)),
    )


def report(dead_letter: DeadLetter) -> dict[str, Any]:
    """The data of the report; a dead letter always gives the same."""
    return {
        "dead_letter": dead_letter.number,
        "organisation": dead_letter.organisation,
        "subscription": dead_letter.subscription,
        "shard": dead_letter.position.shard,
        "sequence": dead_letter.position.sequence,
        "source": dead_letter.source or "",
        "id": dead_letter.event or "",
        "type": dead_letter.type,
        "failure": dead_letter.failure.value,
        "attempts": dead_letter.attempts,
        "died": rfc3339(dead_letter.died),
    }
