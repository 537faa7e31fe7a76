"""Redrive: delivers dead letters again, one at once or many as a job."""

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from gateway.base.database import Database
from gateway.base.defects import do_apart, isolated, report_defect
from gateway.base.errors import Conflict, Unavailable
from gateway.base.snapshot import Snapshot
from gateway.base.stop import Stop
from gateway.broker import publish_confirmed
from gateway.contracts import Catalogue
from gateway.delivery.queue_message import message_to_queue
from gateway.delivery.store import DeadLetter, DeadLetters, Redrive, Redrives
from gateway.identity import Directory
from gateway.journal import JournalReader
from gateway.subscriptions import Subscription, register
from gateway.subscriptions.permissions import may_receive

BATCH = 200
CONFIRM_SECONDS = 30.0
FAILED = "The gateway failed on a dead letter, which was logged. Ask the operator."
NOT_SENT = "A dead letter was not sent: its event or its queue is gone, or it has changed."


class Redriver:
    """Delivers dead letters again to their own subscription, and to no other."""

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
        """Deliver dead letters again. Returns the numbers of those that are on their way.

        All are of one type and belong to one subscription. One whose event is no longer in the
        journal stays dead. Raises Conflict where the subscription has ended or may no longer
        receive the type, BrokerUnavailable where its queue could not take them: all stay dead then.
        """
        subscription = await self._subscription(dead_letters[0])
        entries = {
            (entry.shard, entry.sequence): entry
            for entry in await self._reader.entries_at([each.position for each in dead_letters])
        }
        if subscription.journal_delivered:
            numbers = [each.number for each in dead_letters if each.position in entries]
            return await self._dead_letters.reopen(numbers, by=by)
        classification = self._catalogue.value.classification(dead_letters[0].type)
        messages = [
            message_to_queue(subscription, entries[each.position], classification, each.number)
            for each in dead_letters
            if each.position in entries
        ]
        confirmed = await publish_confirmed(
            self._url, messages, confirm_timeout=CONFIRM_SECONDS, name="nusabus-redrive"
        )
        sent = [each for each in dead_letters if each.number in confirmed]
        return await self._dead_letters.record_redriven(sent, by=by)

    async def _subscription(self, dead_letter: DeadLetter) -> Subscription:
        """The subscription of a dead letter. Raises Conflict where it may not be redriven."""
        name, type = dead_letter.subscription, dead_letter.type
        async with self._database.session() as session:
            subscription = await register.find(session, dead_letter.organisation, name)
        if subscription is None:
            raise Conflict(f"Subscription {name} has ended. Discard the dead letter.")
        if subscription.is_responder:
            raise Conflict("Requests cannot be redriven; the requester retries them.")
        if not subscription.wants(type):
            raise Conflict(
                f"Subscription {name} no longer receives {type}. Discard the dead letter."
            )
        if not may_receive(
            dead_letter.organisation, type, self._directory.value, self._catalogue.value
        ):
            raise Conflict(f"The right to receive {type} was withdrawn. Ask its owner for a grant.")
        return subscription


class RedriveWorker:
    """Works on all running redrives. Run it in one process at a time."""

    def __init__(
        self, redriver: Redriver, dead_letters: DeadLetters, redrives: Redrives, stop: Stop
    ) -> None:
        self._redriver = redriver
        self._dead_letters = dead_letters
        self._redrives = redrives
        self._stop = stop

    async def run_once(self) -> None:
        """Send the next batch of each running redrive. One that was interrupted continues."""
        outage: Unavailable | None = None
        for redrive in await self._redrives.running():
            try:
                with isolated("dead_letters.redrives", redrive=redrive.id):
                    await self._send_batch(redrive)
            except Unavailable as error:  # perhaps of one queue alone: the others go on
                outage = error
        if outage is not None:
            raise outage

    async def _send_batch(self, redrive: Redrive) -> None:
        """Send at most what its rate allows in a second, so that redrives run side by side."""
        began = time.monotonic()
        batch = await self._dead_letters.page(
            replace(redrive.query, state="dead"),
            after=redrive.reached,
            limit=min(BATCH, redrive.rate),
        )
        batch = [each for each in batch if each.number <= redrive.upto]
        sent, last_error = await self._send(batch, redrive.created_by)
        await self._redrives.record_progress(
            redrive,
            reached=batch[-1].number if batch else redrive.upto,
            sent=sent,
            failed=len(batch) - sent,
            last_error=last_error or redrive.last_error,
            finished=not batch,
        )
        if batch:
            pause = len(batch) / redrive.rate - (time.monotonic() - began)
            await self._stop.sleep(max(pause, 0))

    async def _send(self, batch: Sequence[DeadLetter], by: str) -> tuple[int, str | None]:
        """The number of dead letters that were sent, and the reason of the last that were not."""
        groups: dict[tuple[str, str, str], list[DeadLetter]] = defaultdict(list)
        for each in batch:
            groups[each.organisation, each.subscription, each.type].append(each)
        sent, last_error = 0, None
        for group in groups.values():
            done, error = await self._send_group(group, by)
            sent += done
            last_error = error or last_error
        return sent, last_error

    async def _send_group(self, group: list[DeadLetter], by: str) -> tuple[int, str | None]:
        """After a defect the group is sent in parts, so that it costs the one that has it."""
        sent, errors = 0, list[str]()

        async def send(part: Sequence[DeadLetter]) -> None:
            nonlocal sent
            try:
                done = len(await self._redriver.redrive(part, by=by))
            except Conflict as error:
                errors.append(str(error))
                return
            sent += done
            if done < len(part):
                errors.append(NOT_SENT)

        def fail(dead_letter: DeadLetter, error: Exception) -> None:
            report_defect("dead_letters.redrive", error, number=dead_letter.number)
            errors.append(FAILED)

        await do_apart(group, send, fail)
        return sent, errors[0] if errors else None
