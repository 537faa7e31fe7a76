"""Non-delivery reports: events that tell the owner of a type about dead letters.

A type has them where its contract names the type of the report.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid5

import msgspec

from gateway.base.defects import each_alone, isolated
from gateway.base.errors import Refused
from gateway.base.event import Event
from gateway.base.masking import mask_id
from gateway.base.snapshot import Snapshot
from gateway.base.telemetry import log
from gateway.base.times import rfc3339
from gateway.contracts import Catalogue
from gateway.delivery.store import DeadLetter, DeadLetters, ReportDecision
from gateway.identity import OPERATOR
from gateway.journal import Candidate, JournalWriter, Position
from gateway.publishing import EventValidator

BATCH = 200
SOURCE = "/nusabus/non-delivery"
_encode = msgspec.json.Encoder().encode


class NonDeliveryReporter:
    """Publishes one event for each dead letter, once: its id is derived from the dead letter.

    The event is stored before the decision is recorded. A run that is interrupted in between
    stores the same event again. Run it in one process at a time; a second one would be safe.
    """

    def __init__(
        self,
        dead_letters: DeadLetters,
        catalogue: Snapshot[Catalogue],
        validator: EventValidator,
        writer: JournalWriter,
    ) -> None:
        self._dead_letters = dead_letters
        self._catalogue = catalogue
        self._validator = validator
        self._writer = writer

    async def run_once(self) -> bool:
        """Decide about the next dead letters. True if there may be more."""
        dead_letters = await self._dead_letters.unreported(BATCH)
        decisions: list[ReportDecision] = []
        reports: list[tuple[DeadLetter, Candidate]] = []
        for each in dead_letters:
            contract = self._catalogue.value.contract(each.type)
            type = contract.non_delivery_report if contract else None
            if type is None:
                decisions.append(ReportDecision(each.number, "none"))
            elif (report := await self._report(each, type)) is None:
                decisions.append(ReportDecision(each.number, "refused"))
            else:
                reports.append((each, report))
        await self._dead_letters.record_reports([*decisions, *await self._publish(reports)])
        return len(dead_letters) == BATCH

    async def _report(self, dead_letter: DeadLetter, type: str) -> Candidate | None:
        """The report; None if its contract refuses it, or by a defect."""
        with isolated("dead_letters.non_delivery_report", number=dead_letter.number):
            try:
                event = report_event(dead_letter, type)
                return await self._validator.accept(event, (OPERATOR, OPERATOR))
            except Refused as error:
                log().error(
                    "non_delivery_report.refused",
                    number=dead_letter.number,
                    type=type,
                    reason=str(error),
                )
        return None

    async def _publish(
        self, reports: Sequence[tuple[DeadLetter, Candidate]]
    ) -> list[ReportDecision]:
        """Store reports. One that the journal does not take, which is a defect, is refused."""
        sent: list[ReportDecision] = []

        async def append(some: Sequence[tuple[DeadLetter, Candidate]]) -> None:
            appended = await self._writer.append([candidate for _, candidate in some])
            sent.extend(
                ReportDecision(dead_letter.number, "sent", Position(each.shard, each.sequence))
                for (dead_letter, _), each in zip(some, appended, strict=True)
            )

        if not reports:
            return []
        failed = await each_alone("dead_letters.non_delivery_report", reports, append)
        log().info("non_delivery_reports.sent", count=len(sent))
        return [*sent, *(ReportDecision(each.number, "refused") for each, _ in failed)]


def report_event(dead_letter: DeadLetter, type: str) -> Event:
    """The report of a dead letter, always the same one. National ids in id and source are masked.

    The key of the dead letter stays secret: the id of its correction is derived from it.
    """
    attributes = {"datacontenttype": "application/json", "time": rfc3339(dead_letter.died)}
    if dead_letter.event is not None:
        attributes["causationid"] = mask_id(dead_letter.event)
    return Event(
        str(uuid5(UUID(dead_letter.key), type)),
        SOURCE,
        type,
        f"{dead_letter.organisation}/{dead_letter.subscription}",
        attributes,
        _encode(_report_data(dead_letter)),
    )


def _report_data(dead_letter: DeadLetter) -> dict[str, Any]:
    return {
        "dead_letter": dead_letter.number,
        "organisation": dead_letter.organisation,
        "subscription": dead_letter.subscription,
        "shard": dead_letter.position.shard,
        "sequence": dead_letter.position.sequence,
        "source": mask_id(dead_letter.source or ""),
        "id": mask_id(dead_letter.event or ""),
        "type": dead_letter.type,
        "failure": dead_letter.failure.value,
        "attempts": dead_letter.attempts,
        "died": rfc3339(dead_letter.died),
    }
