"""Accept or refuse events: the use case that every other room may call."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from time import perf_counter

import msgspec

from gateway.base.errors import (
    BacklogFull,
    FailedDependency,
    Forbidden,
    IdentifierReused,
    Invalid,
    Overloaded,
    Refused,
)
from gateway.base.event import Event
from gateway.base.fair_turns import FairTurns
from gateway.base.snapshot import Snapshot
from gateway.contracts import Catalogue, CatalogueVersion, Contract, Deprecation, Pattern
from gateway.identity import Client, Directory
from gateway.journal import (
    Appended,
    Candidate,
    Checkpoint,
    JournalReader,
    JournalWriter,
    Refusal,
    Refusals,
)
from gateway.publishing.validation import EventValidator, version_of

_SLICE = 0.001  # seconds that a batch is worked on without a pause
_BATCHES = 256  # of one organisation that may wait for their next slice
_LONGEST = 60.0  # seconds that validating a batch may take


class Receipt(msgspec.Struct, frozen=True, gc=False):
    """The answer to a publisher: the event is stored durably at this position."""

    id: str
    source: str
    shard: int
    sequence: int
    recorded: datetime
    digest: bytes
    duplicate: bool


class EventPublisher:
    """Accepts events that their sender may publish and that are valid, and stores them."""

    def __init__(
        self,
        directory: Snapshot[Directory],
        catalogue: Snapshot[Catalogue],
        validator: EventValidator,
        writer: JournalWriter,
        refusals: Refusals,
        *,
        backlog_limit: int,
    ) -> None:
        self.backlog = 0
        """Entries that are not yet relayed, as of the last look."""
        self._directory = directory
        self._catalogue = catalogue
        self._validator = validator
        self._writer = writer
        self._refusals = refusals
        self._backlog_limit = backlog_limit
        self._slices = FairTurns(slots=1, share=1, queue=_BATCHES)

    async def update_backlog(self, reader: JournalReader) -> None:
        """Look how many entries wait for the relay. Raises JournalUnavailable."""
        self.backlog = await reader.backlog()

    async def publish(self, event: Event, sender: Client) -> Receipt:
        """Accept one event. Once this returns the event is durable; before, nothing was promised.

        Raises Forbidden, ContractViolation, Invalid, IdentifierReused; BacklogFull or
        JournalUnavailable where the event may be good, but the bus is not.
        """
        self.require_capacity()
        candidate = await self.accept(event, sender)
        (appended,) = await self._writer.append((candidate,))
        return _receipt(event, appended)

    async def publish_each(
        self,
        events: Sequence[Event | Refused],
        sender: Client,
        *,
        checkpoint: Checkpoint | None = None,
    ) -> list[Receipt | Refused]:
        """Accept each event on its own; receipts and refusals are in the order of the events.

        `checkpoint` is stored in the transaction of the last of them, unless all are refused.
        """
        self.require_capacity()
        decided = await self._decide_each(events, sender)
        candidates = [each for each in decided if isinstance(each, Candidate)]
        appended = iter(await self._writer.append(candidates, checkpoint=checkpoint))
        return [
            _receipt_or_refusal(each.event, next(appended)) if isinstance(each, Candidate) else each
            for each in decided
        ]

    async def publish_all(
        self, events: Sequence[Event | Refused], sender: Client
    ) -> list[Receipt | Refused]:
        """Store all events in one commit, or none when any is refused."""
        self.require_capacity()
        decided = await self._decide_each(events, sender)
        candidates = [each for each in decided if isinstance(each, Candidate)]
        if len(candidates) < len(decided):
            return [each if isinstance(each, Refused) else FailedDependency() for each in decided]
        appended = await self._writer.append(candidates, atomic=True)
        return [_receipt(c.event, each) for c, each in zip(candidates, appended, strict=True)]

    async def accept(self, event: Event, sender: Client) -> Candidate:
        """The event as the journal may store it; nothing is stored yet.

        Raises Forbidden unless the client may publish the type with this source, Invalid, Malformed
        or ContractViolation unless the event is valid, TooExpensive or Unavailable if that cannot
        be found out.
        """
        if self._permitted(event, sender).pattern is Pattern.REQUEST_REPLY:
            raise Invalid(
                f"{event.type} is a request. Send it with POST /v1/requests.", pointer="/type"
            )
        return await self._validator.accept(event, (sender.id, sender.organisation))

    async def accept_request(self, event: Event, sender: Client) -> Candidate:
        """The same for a request. Raises Invalid for any other event."""
        if self._permitted(event, sender).pattern is not Pattern.REQUEST_REPLY:
            raise Invalid(
                f"{event.type} is not a request. Publish it with POST /v1/events.", pointer="/type"
            )
        return await self._validator.accept(event, (sender.id, sender.organisation))

    async def validate_reply(
        self, reply: Event, version: CatalogueVersion, organisation: str
    ) -> None:
        """Raises what `accept` raises unless the reply is valid under the version."""
        await self._validator.validate(reply, version, organisation, is_reply=True)

    def require_source(self, event: Event, organisation: str) -> None:
        """Raises Forbidden unless the organisation owns the source, Malformed for its spelling."""
        self._directory.value.require_source(event.source, organisation)

    async def refuse(
        self, sender: tuple[str, str], event: Event | None, error: Refused, digest: bytes
    ) -> None:
        """Keep why an event was refused, without its data.

        `sender` is a client and its organisation, `digest` that of the bytes that were sent.
        """
        await self._refusals.record([Refusal.from_error(sender, event, error, digest)])

    def deprecation(self, event: Event) -> Deprecation | None:
        """The deprecation of the version that validated an accepted event, if there is one."""
        catalogue = self._catalogue.value
        if event.type not in catalogue.deprecated:
            return None
        try:
            version = version_of(event, catalogue)
        except Invalid:  # it was retired since
            return None
        return version.deprecation

    def require_capacity(self) -> None:
        """Raises BacklogFull while the relay is too far behind."""
        if self.backlog >= self._backlog_limit:
            raise BacklogFull("The bus has too large a backlog to accept more. Try again later.")

    def require_writable(self) -> None:
        """Raises JournalUnavailable while appends fail."""
        self._writer.probe.require_writable()

    def _permitted(self, event: Event, sender: Client) -> Contract:
        """The contract of an event that this client may publish with its source.

        Raises Forbidden, and Malformed for the spelling of the source. This comes before the
        identity is looked at, so nobody learns which events others have published.
        """
        contract = self._catalogue.value.contract(event.type)
        if contract is None or not self._directory.value.may_publish(
            sender, event.type, contract.owner
        ):
            raise Forbidden(
                "There is no contract of this type that you may publish. Check the type, or ask "
                "its owner for a grant."
            )
        self.require_source(event, sender.organisation)
        return contract

    async def _decide_each(
        self, events: Sequence[Event | Refused], sender: Client
    ) -> list[Candidate | Refused]:
        """Candidates and refusals, in the order of the events. Raises Unavailable for all.

        Others are served in between: a batch works for a slice of time, then waits for its turn.
        """
        decided: list[Candidate | Refused] = []
        slice_ends = perf_counter() + _SLICE
        try:
            async with asyncio.timeout(_LONGEST):
                for event in events:
                    decided.append(await self._decide(event, sender))
                    if perf_counter() > slice_ends:
                        async with self._slices.turn(sender.organisation):
                            await asyncio.sleep(0)
                        slice_ends = perf_counter() + _SLICE
        except TimeoutError:
            raise Overloaded(
                f"The batch was not validated in {_LONGEST:g} s. Send smaller batches, later."
            ) from None
        return decided

    async def _decide(self, event: Event | Refused, sender: Client) -> Candidate | Refused:
        if isinstance(event, Refused):
            return event
        try:
            return await self.accept(event, sender)
        except Refused as error:
            return error


def _receipt(event: Event, appended: Appended) -> Receipt:
    if not appended.same:
        raise IdentifierReused
    return Receipt(
        event.id,
        event.source,
        appended.shard,
        appended.sequence,
        appended.recorded,
        appended.digest,
        appended.duplicate,
    )


def _receipt_or_refusal(event: Event, appended: Appended) -> Receipt | Refused:
    try:
        return _receipt(event, appended)
    except IdentifierReused as error:
        return error
