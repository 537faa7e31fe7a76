"""What RabbitMQ holds beyond a restored journal, and publishing it again."""

from collections import Counter
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, field

import msgspec

from gateway.base.event import Event
from gateway.broker import Management, held_events, names
from gateway.contracts import Catalogue, Pattern
from gateway.journal import Candidate, JournalReader, JournalWriter

BATCH = 100  # events that are looked up and published together
CLIENT = "nusabus-recover"  # the client that the journal names for what was published again
_ADDED = {"sequence", "recordedtime", "publisher", "dataclassification"}  # by the relay


@dataclass(slots=True)
class RecoveryReport:
    """What was found. `beyond` counts messages by queue, the others count events, each once.

    `unknown_queues` belong to no subscription that the journal's database has.
    """

    incarnation: int
    beyond: Counter[str] = field(default_factory=Counter)
    unknown_queues: list[str] = field(default_factory=list)
    present: int = 0
    missing: int = 0
    not_publishable: Counter[str] = field(default_factory=Counter)
    """By type: without a contract now, or requests and replies, whose time is over."""
    published: int = 0


class Recovery:
    """Goes through the queues of all subscriptions, those that are unknown included."""

    def __init__(
        self,
        amqp_url: str,
        management: Management,
        reader: JournalReader,
        writer: JournalWriter,
        catalogue: Catalogue,
        is_known: Callable[[str], bool],
    ) -> None:
        """`is_known` says whether a queue belongs to a subscription."""
        self._url = amqp_url
        self._management = management
        self._reader = reader
        self._writer = writer
        self._catalogue = catalogue
        self._is_known = is_known

    async def run(self, *, publish: bool) -> RecoveryReport:
        """Report what the queues hold and the journal has lost; publish it again if asked to.

        Safe to repeat: what was published again is in the journal then.
        """
        report = RecoveryReport(self._reader.incarnation.history[-1].number)
        lost: dict[bytes, tuple[str, Event]] = {}
        for queue in sorted(await self._management.queues()):
            if queue != names.DEAD_QUEUE and names.owner(queue) is None:
                continue
            if queue != names.DEAD_QUEUE and not self._is_known(queue):
                report.unknown_queues.append(queue)
            async with aclosing(held_events(self._url, queue)) as events:
                async for event in events:
                    sequence = str(event.attributes.get("sequence", ""))
                    if self._is_beyond(sequence):
                        report.beyond[queue] += 1
                        lost.setdefault(event.identity, (sequence, event))
        ordered = sorted(lost.values(), key=lambda each: each[0])
        for start in range(0, len(ordered), BATCH):
            await self._publish([e for _, e in ordered[start : start + BATCH]], report, publish)
        return report

    def _is_beyond(self, sequence: str) -> bool:
        """Whether an event with this sequence was lost with the restore."""
        shard, _, number = sequence.partition("-")
        if not (shard.isdecimal() and number.isdecimal() and sequence.isascii()):
            return False
        return self._reader.incarnation.gap_at(int(shard), int(number)) is not None

    async def _publish(self, events: list[Event], report: RecoveryReport, publish: bool) -> None:
        present = await self._reader.find_all(each.identity for each in events)
        report.present += len(present)
        candidates = []
        for event in events:
            if event.identity in present:
                continue
            report.missing += 1
            candidate = self._candidate(event)
            if candidate is None:
                report.not_publishable[event.type] += 1
            else:
                candidates.append(candidate)
        if publish and candidates:
            appended = await self._writer.append(candidates)
            report.published += sum(not each.duplicate for each in appended)

    def _candidate(self, event: Event) -> Candidate | None:
        """The event as its publisher sent it. It was valid then; the current version is noted."""
        contract = self._catalogue.contract(event.type)
        version = self._catalogue.current.get(event.type)
        publisher = event.attributes.get("publisher")
        if contract is None or version is None or contract.pattern is Pattern.REQUEST_REPLY:
            return None
        if not isinstance(publisher, str):
            return None
        sent = {name: value for name, value in event.attributes.items() if name not in _ADDED}
        return Candidate(
            msgspec.structs.replace(event, attributes=sent), CLIENT, publisher, version.number
        )
