"""Sends dead letters again: one, or many as a job."""

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace

from gateway.base.database import Database
from gateway.base.errors import Conflict, NusabusError
from gateway.base.snapshot import Snapshot
from gateway.base.stop import Stop
from gateway.base.telemetry import log
from gateway.broker import OutgoingMessage, message, publish_confirmed
from gateway.contracts import Catalogue
from gateway.delivery.store import DeadLetter, DeadLetters, Redrive, Redrives
from gateway.identity import Directory
from gateway.journal import Entry, JournalReader
from gateway.subscriptions import Subscription, register
from gateway.subscriptions.permissions import may_receive
from gateway.subscriptions.routing import exchange_of, private_key

LOOK = 0.5  # seconds between two looks for redrives
PIECE = 200
CONFIRM_SECONDS = 30.0


class Redriver:
    """Sends dead letters to their own subscription, and to no other."""

    def __init__(
        self,
        database: Database,
        reader: JournalReader,
        dead_letters: DeadLetters,
        directory: Snapshot[Directory],
        catalogue: Snapshot[Catalogue],
        amqp_url: str,
    ) -> None:
        self._database = database
        self._reader = reader
        self._dead_letters = dead_letters
        self._directory = directory
        self._catalogue = catalogue
        self._url = amqp_url

    async def redrive(self, dead_letters: Sequence[DeadLetter], *, by: str) -> set[int]:
        """Send them again; returns the numbers of those that are on their way.

        All belong to one subscription and are of one type. Raises Conflict where it has ended or
        may not have them any more, BrokerUnavailable where they could not be handed to its queue:
        they stay dead then.
        """
        subscription = await self._subscription(dead_letters[0])
        if subscription.journal_delivered:
            return await self._dead_letters.reopen([each.number for each in dead_letters], by=by)
        entries = {
            (entry.shard, entry.sequence): entry
            for entry in await self._reader.entries_at([each.position for each in dead_letters])
        }
        outgoing = [
            self._outgoing(subscription, entries[dead_letter.position], dead_letter.number)
            for dead_letter in dead_letters
            if dead_letter.position in entries
        ]
        confirmed = await publish_confirmed(
            self._url, outgoing, confirm_timeout=CONFIRM_SECONDS, name="nusabus-redrive"
        )
        sent = [each for each in dead_letters if each.number in confirmed]
        return await self._dead_letters.redriven(sent, by=by)

    async def _subscription(self, dead_letter: DeadLetter) -> Subscription:
        """Where it is to go. Raises Conflict where it may not go there."""
        name, type = dead_letter.subscription, dead_letter.type
        async with self._database.session() as session:
            subscription = await register.find(session, dead_letter.organisation, name)
        if subscription is None:
            raise Conflict(f"the subscription {name} has ended: discard it instead")
        if subscription.is_responder:
            raise Conflict("a request is not sent again: who asked has had an answer or repeats it")
        if not subscription.wants(type):
            raise Conflict(
                f"the subscription {name} is another one now, without {type}: discard it"
            )
        if not may_receive(
            dead_letter.organisation, type, self._directory.value, self._catalogue.value
        ):
            raise Conflict(f"the right to receive {type} was withdrawn: ask its owner for a grant")
        return subscription

    def _outgoing(self, subscription: Subscription, entry: Entry, number: int) -> OutgoingMessage:
        event = entry.event
        facts = (*entry.journal_attributes, self._catalogue.value.classification(event.type))
        return OutgoingMessage(
            exchange_of(subscription),
            private_key(subscription),
            True,
            (),
            message.body(event, *facts),
            event.id,
            message.headers(event, *facts),
            number,
        )


class RedriveWorker:
    """Works off the redrives of many; one at work at a time, see `responsible`."""

    def __init__(
        self,
        redriving: Redriver,
        dead_letters: DeadLetters,
        redrives: Redrives,
        *,
        responsible: Callable[[], bool],
    ) -> None:
        self._redriving = redriving
        self._dead_letters = dead_letters
        self._redrives = redrives
        self._responsible = responsible

    async def run(self, stop: Stop) -> None:
        """Go on until stopped. What was interrupted goes on where it was."""
        while await stop.sleep(LOOK):
            if not self._responsible():
                continue
            try:
                for redrive in await self._redrives.running():
                    await self._step(redrive, stop)
            except NusabusError as error:
                log().warning("redrive.waits", reason=str(error))

    async def _step(self, redrive: Redrive, stop: Stop) -> None:
        """As many as a second allows, so that several redrives go on side by side."""
        began = time.monotonic()
        wanted = replace(redrive.wanted, state="dead")
        piece = await self._dead_letters.page(
            wanted, after=redrive.reached, limit=min(PIECE, redrive.rate)
        )
        piece = [each for each in piece if each.number <= redrive.upto]
        sent, problem = await self._send(piece, redrive)
        await self._redrives.progress(
            redrive,
            reached=piece[-1].number if piece else redrive.upto,
            sent=sent,
            failed=len(piece) - sent,
            problem=problem or redrive.problem,
            finished=not piece,
        )
        if piece:
            pause = len(piece) / redrive.rate - (time.monotonic() - began)
            await stop.sleep(max(pause, 0))

    async def _send(self, piece: Sequence[DeadLetter], redrive: Redrive) -> tuple[int, str | None]:
        """How many were sent, and what went wrong last."""
        of: dict[tuple[str, str, str], list[DeadLetter]] = defaultdict(list)
        for dead_letter in piece:
            of[dead_letter.organisation, dead_letter.subscription, dead_letter.type].append(
                dead_letter
            )
        sent, problem = 0, None
        for dead_letters in of.values():
            try:
                sent += len(await self._redriving.redrive(dead_letters, by=redrive.created_by))
            except Conflict as error:
                problem = str(error)
        return sent, problem
