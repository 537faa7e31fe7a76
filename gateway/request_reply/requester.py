"""Ask: store a request, and wait for its reply as long as the asker wishes."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from prometheus_client import Counter, Histogram

from gateway.base.errors import IdentifierReused, NoResponder, NotFound, Refused, Unavailable
from gateway.base.event import Event
from gateway.base.snapshot import Snapshot
from gateway.base.telemetry import METRICS
from gateway.base.type_pattern import is_reply
from gateway.contracts import Catalogue, Pattern
from gateway.identity import Client, Directory, Role
from gateway.journal import Candidate, Entry, JournalReader, JournalWriter
from gateway.request_reply.pairing import asked, deadline, reply_identity, require_request
from gateway.request_reply.refused_replies import RefusedReplies, RefusedReply
from gateway.request_reply.reply_waiters import Waiter, Waiting
from gateway.request_reply.responder_lookup import Responders

LONGEST_WAIT = 20.0  # seconds that a call may wait; who waits longer asks again
_PAST = 0.01  # seconds behind a deadline, so that no clock takes it for the future any more
ASKED = Counter("nusabus_requests_asked", "Requests stored", registry=METRICS)
EXPIRED = Counter(
    "nusabus_requests_expired", "Calls that met the deadline of a request", registry=METRICS
)
SECONDS = Histogram(
    "nusabus_request_seconds",
    "Seconds from the record of a request to the record of its reply, as its asker saw it",
    buckets=(0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
    registry=METRICS,
)
Validator = Callable[[Event, Client], Candidate]


class RequestState(StrEnum):
    """Where a request stands."""

    WAITING = "waiting"
    ANSWERED = "answered"
    LATE = "answered-late"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request with its reply, as it stands. `refused` are replies that were none."""

    request: Entry
    reply: Entry | None
    refused: tuple[RefusedReply, ...] = ()

    @property
    def id(self) -> str:
        """What names it."""
        return self.request.event.identity.hex()

    @property
    def expires(self) -> datetime:
        """Until when a reply is in time."""
        return deadline(self.request.event, self.request.recorded)

    @property
    def state(self) -> RequestState:
        """By the journal's clock, so that every process says the same of a reply."""
        if self.reply is not None:
            return (
                RequestState.ANSWERED if self.reply.recorded <= self.expires else RequestState.LATE
            )
        return RequestState.WAITING if datetime.now(UTC) < self.expires else RequestState.EXPIRED


class Requester:
    """The rules by which requests are asked and looked at."""

    def __init__(
        self,
        judge: Validator,
        writer: JournalWriter,
        reader: JournalReader,
        waiting: Waiting,
        responders: Responders,
        refused: RefusedReplies,
        directory: Snapshot[Directory],
        catalogue: Snapshot[Catalogue],
    ) -> None:
        self._judge = judge
        self._writer = writer
        self._reader = reader
        self._waiting = waiting
        self._responders = responders
        self._refused = refused
        self._directory = directory
        self._catalogue = catalogue

    async def ask(
        self, event: Event, asker: Client, *, wait: float, needs_responder: bool
    ) -> Asked:
        """Store a request and wait up to `wait` seconds. Requester it again gives the same one.

        Raises what publishing raises, and NoResponder where nobody answers this type and
        `needs_responder` is set; then nothing was stored.
        """
        candidate = self._judge(asked(event), asker)
        with self._waiting.of(event.identity) as waiter:
            request, known = await self._store(candidate, asker, needs_responder)
            waiter.request = request
            reply = await self._reply(request) if known else None
            return await self._outcome(request, reply, waiter, wait)

    async def show(self, identity: bytes, by: Client, *, wait: float) -> Asked:
        """A request as it stands, after up to `wait` seconds for its reply. Raises NotFound."""
        with self._waiting.of(identity) as waiter:
            request = await self._reader.find(identity)
            if request is None or not self._is_request(request):
                raise _unknown()
            reply = await self._reply(request)
            if not await self.may_see(request, reply, by):
                raise _unknown()
            return await self._outcome(request, reply, waiter, wait)

    def may_read(self, found: Asked, by: Client) -> bool:
        """Whether it is for the caller to read the data, and not only to know of the request."""
        return self._is_asker(found.request, by) or not by.has(Role.AUDITOR) or not by.operator

    async def may_see(self, request: Entry, reply: Entry | None, by: Client) -> bool:
        """Asker, responder, and the operator's auditors."""
        if self._is_asker(request, by) or (by.operator and by.has(Role.AUDITOR)):
            return True
        if not by.has(Role.SUBSCRIBER):
            return False
        if reply is not None and self._organisation(reply) == by.organisation:
            return True
        responder = await self._responders.of(request.event.type)
        return responder is not None and responder.organisation == by.organisation

    async def _store(
        self, candidate: Candidate, asker: Client, needs_responder: bool
    ) -> tuple[Entry, bool]:
        """The entry of the request, and whether it stood there before."""
        event = candidate.event
        unfit = await self._unfit(event, needs_responder)
        if unfit is not None and await self._reader.find_appended(event.identity) is None:
            raise unfit
        (place,) = await self._writer.append((candidate,))
        if place.digest != event.digest:
            raise IdentifierReused(event.source, event.id)
        if not place.duplicate:
            ASKED.inc()
            return _entry(candidate, place.shard, place.sequence, place.recorded), False
        found = await self._reader.entry_at(place.shard, place.sequence)
        if found is None or self._organisation(found) != asker.organisation:
            raise IdentifierReused(event.source, event.id)
        return found, True

    async def _unfit(self, event: Event, needs_responder: bool) -> Refused | Unavailable | None:
        """Why a request that is not stored yet would be of no use."""
        try:
            require_request(event)
        except Refused as error:
            return error
        if needs_responder and await self._responders.of(event.type) is None:
            return NoResponder(
                f"nobody answers {event.type} now: try again later, or ask with "
                "no_responder=wait and it is handed out to whoever begins to answer in time"
            )
        return None

    async def _outcome(
        self, request: Entry, reply: Entry | None, waiter: Waiter, wait: float
    ) -> Asked:
        if reply is None:
            left = (deadline(request.event, request.recorded) - datetime.now(UTC)).total_seconds()
            reply = await waiter.wait(min(wait, left + _PAST))
            if reply is None and left <= wait:
                reply = await self._reply(request)  # the word of it may have been lost
            if reply is not None:
                SECONDS.observe((reply.recorded - request.recorded).total_seconds())
        found = Asked(request, reply)
        if found.state is not RequestState.EXPIRED:
            return found
        EXPIRED.inc()
        return Asked(request, None, tuple(await self._refused.of(request.event.identity)))

    async def _reply(self, request: Entry) -> Entry | None:
        identity = reply_identity(request.event.identity)
        return (await self._reader.find_all((identity,))).get(identity)

    def _is_request(self, entry: Entry) -> bool:
        contract = self._catalogue.value.contract(entry.event.type)
        return (
            not is_reply(entry.event.type)
            and contract is not None
            and contract.pattern is Pattern.REQUEST_REPLY
        )

    def _is_asker(self, request: Entry, by: Client) -> bool:
        return by.has(Role.PUBLISHER, Role.AUDITOR) and (
            self._organisation(request) == by.organisation
        )

    def _organisation(self, entry: Entry) -> str:
        client = self._directory.value.client(entry.client)
        return client.organisation if client else ""


def _unknown() -> NotFound:
    return NotFound("there is no such request that you may see")


def _entry(candidate: Candidate, shard: int, sequence: int, recorded: datetime) -> Entry:
    event = candidate.event
    return Entry(
        shard, sequence, recorded, event, event.digest, candidate.client, candidate.contract_version
    )
