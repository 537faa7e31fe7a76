"""Resend: publishes a corrected event in place of one that failed for good."""

from dataclasses import dataclass

from gateway.base.errors import Conflict, Forbidden, Gone, Refused
from gateway.base.event import Event
from gateway.base.type_pattern import is_reply
from gateway.delivery.store import DeadLetter, DeadLetters
from gateway.identity import Client
from gateway.journal import (
    Appended,
    Candidate,
    JournalReader,
    JournalWriter,
    Position,
    sequence_text,
)
from gateway.publishing import Correction, EventPublisher, correct


@dataclass(frozen=True, slots=True)
class ResentEvent:
    """The corrected event, and what the journal says about it."""

    event: Event
    appended: Appended


class Resender:
    """The rules for correcting dead letters.

    The id of the corrected event is derived from the dead letter, so the journal holds one
    correction, the first. It is stored before the dead letter ends: after an interruption the same
    call completes the rest.
    """

    def __init__(
        self,
        dead_letters: DeadLetters,
        reader: JournalReader,
        writer: JournalWriter,
        publisher: EventPublisher,
    ) -> None:
        self._dead_letters = dead_letters
        self._reader = reader
        self._writer = writer
        self._publisher = publisher

    async def resend(
        self, dead_letter: DeadLetter, correction: Correction, by: Client
    ) -> ResentEvent:
        """Publish the corrected event to all subscriptions. It is durable once this returns.

        Raises what publishing raises, Conflict where the dead letter was corrected in another way
        or is no longer dead, and Gone where its event was removed.
        """
        old = await self._reader.entry_at(*dead_letter.position)
        if old is None:
            raise Gone("The event was removed, its time is over. Publish a new one.")
        if is_reply(old.event.type):
            raise Conflict("A reply cannot be corrected: each request has exactly one reply.")
        sequence = sequence_text(*dead_letter.position)
        event = await correct(old.event, correction, id=dead_letter.key, sequence=sequence)
        candidate = await self._accept(event, by)
        if dead_letter.state != "dead" and await self._reader.find_appended(event.identity) is None:
            raise Conflict(
                f"The dead letter is {dead_letter.state}, not dead. If that delivery fails, "
                "correct the new dead letter."
            )
        (appended,) = await self._writer.append((candidate,))
        await self._link(dead_letter, appended, by)
        if not appended.same:
            raise Conflict(
                "This dead letter was already corrected by the event "
                f"{appended.shard}/{appended.sequence}. Publish a new event to correct that one."
            )
        return ResentEvent(event, appended)

    async def _accept(self, event: Event, by: Client) -> Candidate:
        self._publisher.require_capacity()
        try:
            return await self._publisher.accept(event, by)
        except Refused as refused:
            error = _explained(refused)
            sender = (by.id, by.organisation)
            await self._publisher.refuse(sender, event, error, event.digest)
            raise error from None

    async def _link(self, dead_letter: DeadLetter, appended: Appended, by: Client) -> None:
        """Link the dead letter to the event, in the name of the client that published it."""
        position = Position(appended.shard, appended.sequence)
        stored = await self._reader.entry_at(*position) if appended.duplicate else None
        await self._dead_letters.record_resent(
            dead_letter.number, position, by=stored.client if stored else by.id
        )


def _explained(error: Refused) -> Refused:
    """The error; for a source of another organisation what to do, as a correction keeps it."""
    if isinstance(error, Forbidden) and error.pointer == "/source":
        return Forbidden(
            "A correction keeps the source of the event, which does not belong to your "
            "organisation. Ask the organisation that published the event (`publisher` of the dead "
            "letter) to correct it."
        )
    return error
