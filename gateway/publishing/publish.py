"""Accept or refuse events."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from gateway.base import strict_json
from gateway.base.errors import (
    BacklogFull,
    ContractViolation,
    Forbidden,
    IdentifierReused,
    Invalid,
    Malformed,
    Refused,
    Violation,
    Withheld,
)
from gateway.base.event import Event
from gateway.base.snapshot import Snapshot
from gateway.contracts import Catalogue, Contract, Deprecation, Pattern, Validator
from gateway.identity import Client, Directory
from gateway.journal import Appended, Candidate, JournalReader, JournalWriter
from gateway.publishing.data_schema import judge_of, version_of


class Receipt(msgspec.Struct, frozen=True, gc=False):
    """What a publisher gets: the event is stored durably at this place."""

    id: str
    source: str
    shard: int
    sequence: int
    recorded: datetime
    digest: bytes
    duplicate: bool


class Intake:
    """The rules by which events come in."""

    def __init__(
        self,
        directory: Snapshot[Directory],
        catalogue: Snapshot[Catalogue],
        writer: JournalWriter,
        *,
        backlog_limit: int,
    ) -> None:
        self.backlog = 0
        """Entries that wait for the relay, as of the last look."""
        self._directory = directory
        self._catalogue = catalogue
        self._writer = writer
        self._backlog_limit = backlog_limit

    async def update_backlog(self, reader: JournalReader) -> None:
        """Look how many entries wait for the relay. Raises JournalUnavailable."""
        self.backlog = await reader.backlog()

    async def publish(self, event: Event, sender: Client) -> Receipt:
        """Accept one event. Once this returns the event is durable; before, nothing was promised.

        Raises Forbidden, ContractViolation, Invalid, IdentifierReused; BacklogFull or
        JournalUnavailable where the event may be good, but the bus is not.
        """
        self.require_capacity()
        candidate = self.judge(event, sender)
        (place,) = await self._writer.append((candidate,))
        return _receipt(event, place)

    async def publish_each(
        self, events: Sequence[Event | Refused], sender: Client
    ) -> list[Receipt | Refused]:
        """Judge each event on its own and store those that are good; answers in the same order."""
        self.require_capacity()
        judged = [self._try(event, sender) for event in events]
        candidates = [each for each in judged if isinstance(each, Candidate)]
        places = iter(await self._writer.append(candidates) if candidates else ())
        return [
            _attempt(each.event, next(places)) if isinstance(each, Candidate) else each
            for each in judged
        ]

    async def publish_all(
        self, events: Sequence[Event | Refused], sender: Client
    ) -> list[Receipt | Refused]:
        """Store all events in one commit, or none when any is refused."""
        self.require_capacity()
        judged = [self._try(event, sender) for event in events]
        candidates = [each for each in judged if isinstance(each, Candidate)]
        if len(candidates) < len(judged):
            return [each if isinstance(each, Refused) else Withheld() for each in judged]
        places = await self._writer.append(candidates, atomic=True)
        return [_receipt(c.event, place) for c, place in zip(candidates, places, strict=True)]

    def judge(self, event: Event, sender: Client) -> Candidate:
        """Whether this client may say this, and whether it is valid."""
        contract = self._permitted(event, sender)
        if contract.pattern is Pattern.REQUEST_REPLY:
            raise Invalid(
                f"{event.type} is a request: it is asked for its reply, not published",
                pointer="type",
            )
        return self._judged(event, sender)

    def judge_request(self, event: Event, sender: Client) -> Candidate:
        """Whether this client may ask this, and whether it is valid."""
        if self._permitted(event, sender).pattern is not Pattern.REQUEST_REPLY:
            raise Invalid(
                f"{event.type} is no request: publish it with POST /v1/events", pointer="type"
            )
        return self._judged(event, sender)

    def _permitted(self, event: Event, sender: Client) -> Contract:
        """The contract of an event that this client may send. Raises Forbidden."""
        catalogue = self._catalogue.value
        contract = catalogue.contract(event.type)
        if contract is None or not self._directory.value.may_publish(
            sender, event.type, contract.owner
        ):
            raise Forbidden(
                "no contract of this type that you may publish: check the type, or ask its owner "
                "for a grant"
            )
        return contract

    def _judged(self, event: Event, sender: Client) -> Candidate:
        return judged(event, sender.id, self._catalogue.value)

    def deprecation(self, event: Event) -> Deprecation | None:
        """That the version which judged an accepted event should no longer be used, if so."""
        catalogue = self._catalogue.value
        if event.type not in catalogue.deprecated:
            return None
        try:
            version = version_of(event, catalogue)
        except Invalid:  # it was retired since
            return None
        return None if version is None else version.deprecation

    def require_capacity(self) -> None:
        """Raises BacklogFull while the relay is too far behind."""
        if self.backlog >= self._backlog_limit:
            raise BacklogFull("the bus is too far behind to accept more: try again later")

    def _try(self, event: Event | Refused, sender: Client) -> Candidate | Refused:
        if isinstance(event, Refused):
            return event
        try:
            return self.judge(event, sender)
        except Refused as error:
            return error


def judged(event: Event, client: str, catalogue: Catalogue) -> Candidate:
    """What may be stored. Raises Invalid, Malformed or ContractViolation."""
    judge = judge_of(event, catalogue)
    require_valid(event, judge)
    return Candidate(event, client, judge.version)


def require_valid(event: Event, judge: Validator) -> None:
    """Raises ContractViolation or Malformed unless the data are what the schema wants."""
    judge.require(_document(event, judge))


def _document(event: Event, judge: Validator) -> object:
    """The data as the value that the schema judges."""
    if event.data is None or event.binary:
        missing = Violation("", "type", "the event must carry JSON data")
        raise ContractViolation(judge.type, judge.version, (missing,), 1)
    try:
        return strict_json.parse(event.data)
    except Malformed as error:
        where = f"data{error.pointer or ''}"
        raise Malformed(f"in data: {error}", pointer=where, byte=error.byte) from None


def _attempt(event: Event, place: Appended) -> Receipt | Refused:
    try:
        return _receipt(event, place)
    except IdentifierReused as error:
        return error


def _receipt(event: Event, place: Appended) -> Receipt:
    if place.digest != event.digest:
        raise IdentifierReused(event.source, event.id)
    return Receipt(
        event.id,
        event.source,
        place.shard,
        place.sequence,
        place.recorded,
        place.digest,
        place.duplicate,
    )
