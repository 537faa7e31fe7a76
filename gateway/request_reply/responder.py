"""Answer: store the one reply of a request."""

from collections.abc import Callable
from dataclasses import dataclass

from prometheus_client import Counter

from gateway.base.errors import AlreadyAnswered, Invalid, NotFound, Refused
from gateway.base.event import Event
from gateway.base.snapshot import Snapshot
from gateway.base.telemetry import METRICS
from gateway.contracts import Catalogue
from gateway.journal import (
    Appended,
    Candidate,
    Entry,
    JournalReader,
    JournalWriter,
)
from gateway.publishing import EventPublisher
from gateway.request_reply.pairing import deadline, pair_reply
from gateway.request_reply.refused_replies import RefusedReplies
from gateway.request_reply.reply_waiters import ReplyWaiters
from gateway.request_reply.responders import Responders

OUTCOMES = Counter("nusabus_replies", "Replies, by outcome", ["outcome"], registry=METRICS)


@dataclass(frozen=True, slots=True)
class ReplySender:
    """The sender of a reply. `subscription` is known for a reply that came over AMQP."""

    client: str
    organisation: str
    subscription: str | None = None


@dataclass(frozen=True, slots=True)
class StoredReply:
    """A stored reply. `late`: the deadline had passed; `duplicate`: it was stored before."""

    request: Entry
    reply: Entry
    late: bool
    duplicate: bool


class Responder:
    """Accepts the replies of responders, and stores the first one to each request."""

    def __init__(
        self,
        publisher: EventPublisher,
        writer: JournalWriter,
        reader: JournalReader,
        waiters: ReplyWaiters,
        responders: Responders,
        refused: RefusedReplies,
        catalogue: Snapshot[Catalogue],
        announce: Callable[[bytes], None],
    ) -> None:
        """`announce` tells every other process that a request has a reply."""
        self._publisher = publisher
        self._writer = writer
        self._reader = reader
        self._waiters = waiters
        self._responders = responders
        self._refused = refused
        self._catalogue = catalogue
        self._announce = announce

    async def reply(
        self, identity: bytes | None, reply: Event | Refused, sender: ReplySender
    ) -> StoredReply:
        """Store the reply to a request; once this returns it is durable. The first one counts.

        `reply` may be the error that parsing raised: that is a refusal like others. Raises NotFound
        unless the sender is the responder of this request, Forbidden for a source that it does not
        own, Invalid or ContractViolation for an invalid reply, AlreadyAnswered where another one
        came first. The same reply again is fine.
        """
        try:
            request = await self._request(identity, sender)
            try:
                paired = await self._validated(request, reply, sender)
            except Refused as error:  # so that the requester learns why there is no reply
                await self._refused.note(request.event.identity, sender.organisation, error.code)
                raise
            candidate = Candidate(
                paired, sender.client, sender.organisation, request.contract_version
            )
            (appended,) = await self._writer.append((candidate,))
            return await self._stored(request, candidate, appended)
        except Refused as error:
            OUTCOMES.labels(error.code).inc()
            event = reply if isinstance(reply, Event) else None
            digest = event.digest if event else b""
            client = (sender.client, sender.organisation)
            await self._publisher.refuse(client, event, error, digest)
            raise

    async def _request(self, identity: bytes | None, sender: ReplySender) -> Entry:
        """The request, if the sender is its responder. Raises NotFound for anybody else."""
        request = None if identity is None else self._waiters.request(identity)
        if identity is not None and request is None:
            request = (await self._reader.find_all((identity,))).get(identity)
        if request is not None:
            found = await self._responders.of(request.event.type)
            if (
                found is not None
                and found.organisation == sender.organisation
                and sender.subscription in (None, found.name)
            ):
                return request
        raise NotFound("There is no such request for you to answer.")

    async def _validated(self, request: Entry, reply: Event | Refused, by: ReplySender) -> Event:
        """The reply as it is stored, valid under the version that validated the request."""
        if isinstance(reply, Refused):
            raise reply
        self._publisher.require_source(reply, by.organisation)
        until = deadline(request.event, request.recorded)
        paired = pair_reply(request.event, reply, requester=request.publisher, until=until)
        version = self._catalogue.value.version(request.event.type, request.contract_version)
        if version is None:
            raise Invalid("The contract of the request is no longer registered.", pointer="/type")
        await self._publisher.validate_reply(paired, version, by.organisation)
        return paired

    async def _stored(
        self, request: Entry, candidate: Candidate, appended: Appended
    ) -> StoredReply:
        """Wake the calls that wait for it, here and elsewhere. Raises AlreadyAnswered."""
        if not appended.same:
            raise AlreadyAnswered("The request has another reply, which came first.")
        # What was sent again may be written in another way: the requester gets what is stored.
        stored = await self._reader.stored(appended) if appended.duplicate else None
        reply = stored or Entry.of(candidate, appended)
        identity = request.event.identity
        if not self._waiters.deliver(identity, reply):
            self._announce(identity)  # calls that wait in several processes learn it a bit later
        late = reply.recorded > deadline(request.event, request.recorded)
        OUTCOMES.labels("duplicate" if appended.duplicate else "late" if late else "in-time").inc()
        return StoredReply(request, reply, late, appended.duplicate)
