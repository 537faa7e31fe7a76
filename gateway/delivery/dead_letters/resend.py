"""Corrects what failed for good: publishes it anew, and links the dead letter to the new event."""

from dataclasses import dataclass

from gateway.base.errors import Conflict, Refused
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
    """The corrected event and where it stands; `duplicate` says that it stood there before."""

    event: Event
    place: Appended


class Resender:
    """The rules by which a dead letter is corrected.

    The id of the corrected event follows from the dead letter, so the journal decides which
    correction came first, and holds one. It is stored before the dead letter is ended: whatever
    breaks off in between, the same call again completes it.
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
        """Publish the corrected event, for every subscription; once this returns it is durable.

        Raises what publishing raises, and Conflict where it was corrected otherwise, or is not
        dead any more.
        """
        old = await self._reader.entry_at(*dead_letter.position)
        if old is None:
            raise Conflict("the journal does not hold the event any more: publish a new one")
        if is_reply(old.event.type):
            raise Conflict("a reply is not corrected: its request has one answer, and it is this")
        sequence = sequence_text(*dead_letter.position)
        event = correct(old.event, correction, id=dead_letter.key, sequence=sequence)
        candidate = await self._accept(event, by)
        if dead_letter.state != "dead" and await self._reader.find_appended(event.identity) is None:
            raise Conflict(
                f"it is {dead_letter.state}, no longer dead: if that fails it is a new dead letter"
            )
        (place,) = await self._writer.append((candidate,))
        await self._end(dead_letter, place, by)
        if place.digest != event.digest:
            raise Conflict(
                f"it was corrected already, by the event at {place.shard}/{place.sequence}: "
                "publish a new event to correct that one"
            )
        return ResentEvent(event, place)

    async def _accept(self, event: Event, by: Client) -> Candidate:
        try:
            self._publisher.require_capacity()
            return self._publisher.accept(event, by)
        except Refused as error:
            sender = (by.id, by.organisation)
            await self._publisher.refuse(sender, event, error, event.digest)
            raise

    async def _end(self, dead_letter: DeadLetter, place: Appended, by: Client) -> None:
        """Link the dead letter to the event; who corrected it is who published that."""
        position = Position(place.shard, place.sequence)
        stored = await self._reader.entry_at(*position) if place.duplicate else None
        await self._dead_letters.resent(
            dead_letter.number, position, by=stored.client if stored else by.id
        )
