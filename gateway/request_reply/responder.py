"""Answer: take the one reply of a request."""

from collections.abc import Callable
from dataclasses import dataclass

from prometheus_client import Counter

from gateway.base.errors import AlreadyAnswered, Invalid, NotFound, Refused
from gateway.base.event import Event
from gateway.base.snapshot import Snapshot
from gateway.base.telemetry import METRICS
from gateway.contracts import Catalogue, Validator
from gateway.journal import (
    Appended,
    Candidate,
    Entry,
    JournalReader,
    JournalWriter,
    Refusal,
    Refusals,
)
from gateway.request_reply.pairing import deadline, paired
from gateway.request_reply.refused_replies import RefusedReplies
from gateway.request_reply.reply_waiters import Waiting
from gateway.request_reply.responder_lookup import Responders

OUTCOMES = Counter(
    "nusabus_replies", "Replies, by what became of them", ["outcome"], registry=METRICS
)
RequireValid = Callable[[Event, Validator], None]


@dataclass(frozen=True, slots=True)
class Responder:
    """Who says the reply. `subscription` is named where the way that it came tells which one."""

    client: str
    organisation: str
    subscription: str | None = None


@dataclass(frozen=True, slots=True)
class Replied:
    """A stored reply. `late`: the deadline had passed; `duplicate`: it was stored before."""

    request: Entry
    reply: Entry
    late: bool
    duplicate: bool


class Answering:
    """The rules by which replies come in."""

    def __init__(
        self,
        require_valid: RequireValid,
        writer: JournalWriter,
        reader: JournalReader,
        waiting: Waiting,
        responders: Responders,
        refused: tuple[Refusals, RefusedReplies],
        catalogue: Snapshot[Catalogue],
        announce: Callable[[bytes], None],
    ) -> None:
        """`announce` tells every other process that a request is answered."""
        self._require_valid = require_valid
        self._writer = writer
        self._reader = reader
        self._waiting = waiting
        self._responders = responders
        self._refusals, self._refused = refused
        self._catalogue = catalogue
        self._announce = announce

    async def reply(
        self, identity: bytes | None, said: Event | Refused, responder: Responder
    ) -> Replied:
        """Store the reply to a request; once this returns it is durable. The first one counts.

        `said` may be why what came is no event: that is a refusal like others. Raises NotFound
        unless the responder is the one who is asked, Invalid or ContractViolation for what is no
        reply, AlreadyAnswered where another one came first; the same again is fine.
        """
        try:
            request = await self._request(identity, responder)
            try:
                reply = await self._judged(request, said)
            except Refused as error:  # the asker is to learn why none came
                await self._refused.note(request.event.identity, responder.organisation, error.code)
                raise
            candidate = Candidate(reply, responder.client, request.contract_version)
            (place,) = await self._writer.append((candidate,))
            return self._stored(request, candidate, place)
        except Refused as error:
            OUTCOMES.labels(error.code).inc()
            event = said if isinstance(said, Event) else None
            sender = (responder.client, responder.organisation)
            digest = event.digest if event else b""
            await self._refusals.record([Refusal.of(sender, event, error, digest)])
            raise

    async def _request(self, identity: bytes | None, responder: Responder) -> Entry:
        """What this responder is asked. Whoever is not asked learns nothing."""
        request = None if identity is None else self._waiting.request(identity)
        if identity is not None and request is None:
            request = (await self._reader.find_all((identity,))).get(identity)
        if request is not None:
            found = await self._responders.of(request.event.type)
            if (
                found is not None
                and found.organisation == responder.organisation
                and responder.subscription in (None, found.name)
            ):
                return request
        raise NotFound("there is no such request that you are asked")

    async def _judged(self, request: Entry, said: Event | Refused) -> Event:
        """The reply as it is stored, valid under the version that judged the request."""
        if isinstance(said, Refused):
            raise said
        asker = await self._responders.asker_of(request)
        until = deadline(request.event, request.recorded)
        reply = paired(request.event, said, asker=asker, until=until)
        version = self._catalogue.value.version(request.event.type, request.contract_version)
        if version is None:
            raise Invalid("the contract of the request is not known any more", pointer="type")
        self._require_valid(reply, version.reply_judge)
        return reply

    def _stored(self, request: Entry, candidate: Candidate, place: Appended) -> Replied:
        """Wake those who wait, here and elsewhere. Raises AlreadyAnswered."""
        event = candidate.event
        if place.digest != event.digest:
            raise AlreadyAnswered("the request has another reply, which came first")
        reply = Entry(
            place.shard,
            place.sequence,
            place.recorded,
            event,
            place.digest,
            candidate.client,
            candidate.contract_version,
        )
        identity = request.event.identity
        if not self._waiting.give(identity, reply):
            self._announce(identity)  # who waits in several processes learns it a moment later
        late = reply.recorded > deadline(request.event, request.recorded)
        OUTCOMES.labels("duplicate" if place.duplicate else "late" if late else "in-time").inc()
        return Replied(request, reply, late, place.duplicate)
