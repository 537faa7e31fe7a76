"""Accept or refuse events: the use case that every other room may call."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from gateway.base.errors import (
    BacklogFull,
    FailedDependency,
    Forbidden,
    IdentifierReused,
    Invalid,
    Refused,
)
from gateway.base.event import Event
from gateway.base.snapshot import Snapshot
from gateway.contracts import Catalogue, Contract, Deprecation, Pattern
from gateway.identity import Client, Directory
from gateway.journal import (
    Appended,
    Candidate,
    JournalReader,
    JournalWriter,
    Refusal,
    Refusals,
)
from gateway.publishing.validation import accept, version_of


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
        writer: JournalWriter,
        refusals: Refusals,
        *,
        backlog_limit: int,
    ) -> None:
        self.backlog = 0
        """Entries that are not yet relayed, as of the last look."""
        self._directory = directory
        self._catalogue = catalogue
        self._writer = writer
        self._refusals = refusals
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
        candidate = self.accept(event, sender)
        (appended,) = await self._writer.append((candidate,))
        return _receipt(event, appended)

    async def publish_each(
        self, events: Sequence[Event | Refused], sender: Client
    ) -> list[Receipt | Refused]:
        """Accept each event on its own; receipts and refusals are in the order of the events."""
        self.require_capacity()
        decided = [self._decide(event, sender) for event in events]
        candidates = [each for each in decided if isinstance(each, Candidate)]
        appended = iter(await self._writer.append(candidates) if candidates else ())
        return [
            _receipt_or_refusal(each.event, next(appended)) if isinstance(each, Candidate) else each
            for each in decided
        ]

    async def publish_all(
        self, events: Sequence[Event | Refused], sender: Client
    ) -> list[Receipt | Refused]:
        """Store all events in one commit, or none when any is refused."""
        self.require_capacity()
        decided = [self._decide(event, sender) for event in events]
        candidates = [each for each in decided if isinstance(each, Candidate)]
        if len(candidates) < len(decided):
            return [each if isinstance(each, Refused) else FailedDependency() for each in decided]
        appended = await self._writer.append(candidates, atomic=True)
        return [_receipt(c.event, each) for c, each in zip(candidates, appended, strict=True)]

    def accept(self, event: Event, sender: Client) -> Candidate:
        """The event as the journal may store it; nothing is stored yet.

        Raises Forbidden unless the client may publish the type with this source, Invalid, Malformed
        or ContractViolation unless the event is valid.
        """
        if self._permitted(event, sender).pattern is Pattern.REQUEST_REPLY:
            raise Invalid(
                f"{event.type} is a request. Send it with POST /v1/requests.", pointer="/type"
            )
        return accept(event, (sender.id, sender.organisation), self._catalogue.value)

    def accept_request(self, event: Event, sender: Client) -> Candidate:
        """The same for a request. Raises Invalid for any other event."""
        if self._permitted(event, sender).pattern is not Pattern.REQUEST_REPLY:
            raise Invalid(
                f"{event.type} is not a request. Publish it with POST /v1/events.", pointer="/type"
            )
        return accept(event, (sender.id, sender.organisation), self._catalogue.value)

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
        return None if version is None else version.deprecation

    def require_capacity(self) -> None:
        """Raises BacklogFull while the relay is too far behind."""
        if self.backlog >= self._backlog_limit:
            raise BacklogFull("The bus has too large a backlog to accept more. Try again later.")

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

    def _decide(self, event: Event | Refused, sender: Client) -> Candidate | Refused:
        if isinstance(event, Refused):
            return event
        try:
            return self.accept(event, sender)
        except Refused as error:
            return error


def _receipt(event: Event, appended: Appended) -> Receipt:
    if appended.digest != event.digest:
        raise IdentifierReused(event.source, event.id)
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
