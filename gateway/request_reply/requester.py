"""Ask: store a request, and wait for its reply as long as the requester wishes."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from prometheus_client import Counter, Histogram

from gateway.base.errors import (
    IdentifierReused,
    NoReply,
    NoResponder,
    NotFound,
    Refused,
    Unavailable,
)
from gateway.base.event import Event
from gateway.base.snapshot import Snapshot
from gateway.base.telemetry import METRICS
from gateway.base.times import rfc3339
from gateway.base.type_pattern import is_reply
from gateway.contracts import Catalogue, Pattern
from gateway.identity import Client, Role, policy
from gateway.journal import Candidate, Entry, JournalReader, JournalWriter
from gateway.publishing import EventPublisher
from gateway.request_reply.pairing import (
    deadline,
    reply_identity,
    require_not_expired,
    validate_request,
)
from gateway.request_reply.refused_replies import RefusedReplies, RefusedReply
from gateway.request_reply.reply_waiters import ReplyWaiter, ReplyWaiters
from gateway.request_reply.responders import Responders

LONGEST_WAIT = 20.0  # seconds that a call may wait; to wait longer, ask again
_PAST = 0.01  # seconds after a deadline, so that no clock still sees it in the future
ACCEPTED = Counter("nusabus_requests_accepted", "Requests that were stored", registry=METRICS)
EXPIRED = Counter(
    "nusabus_requests_expired", "Calls that ended at the deadline of a request", registry=METRICS
)
SECONDS = Histogram(
    "nusabus_request_duration_seconds",
    "Seconds from the record of a request to the record of its reply, for requesters that waited",
    buckets=(0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
    registry=METRICS,
)


class RequestState(StrEnum):
    """How far a request is."""

    WAITING = "waiting"
    ANSWERED = "answered"
    LATE = "answered-late"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class RequestView:
    """A request with its reply, if there is one. `refused` are replies that were refused."""

    request: Entry
    reply: Entry | None
    refused: tuple[RefusedReply, ...] = ()

    @property
    def id(self) -> str:
        """Its identity in hexadecimal."""
        return self.request.event.identity.hex()

    @property
    def expires(self) -> datetime:
        """Until when a reply is in time."""
        return deadline(self.request.event, self.request.recorded)

    @property
    def state(self) -> RequestState:
        """By the journal's clock, so that every process gives the same answer."""
        if self.reply is not None:
            return (
                RequestState.ANSWERED if self.reply.recorded <= self.expires else RequestState.LATE
            )
        return RequestState.WAITING if datetime.now(UTC) < self.expires else RequestState.EXPIRED


class Requester:
    """Stores requests, waits for their replies, and shows them."""

    def __init__(
        self,
        publisher: EventPublisher,
        writer: JournalWriter,
        reader: JournalReader,
        waiters: ReplyWaiters,
        responders: Responders,
        refused: RefusedReplies,
        catalogue: Snapshot[Catalogue],
    ) -> None:
        self._publisher = publisher
        self._writer = writer
        self._reader = reader
        self._waiters = waiters
        self._responders = responders
        self._refused = refused
        self._catalogue = catalogue

    async def ask(
        self, event: Event, requester: Client, *, wait: float, needs_responder: bool
    ) -> RequestView:
        """Store a request and wait up to `wait` seconds. The same event again is the same request.

        Raises what publishing raises, and NoResponder if there is no responder of this type and
        `needs_responder` is set; then nothing was stored.
        """
        validate_request(event)
        candidate = await self._publisher.accept_request(event, requester)
        with self._waiters.of(event.identity) as waiter:
            request, known = await self._store(candidate, requester, needs_responder)
            waiter.request = request
            reply = await self._reply(request) if known else None
            return await self._answer(request, reply, waiter, wait)

    async def show(self, identity: bytes, by: Client, *, wait: float) -> RequestView:
        """A request, after up to `wait` seconds for its reply. Raises NotFound."""
        with self._waiters.of(identity) as waiter:
            request = await self._reader.find(identity)
            if request is None or not self._is_request(request):
                raise _unknown()
            reply = await self._reply(request)
            if not await self.may_see(request, reply, by):
                raise _unknown()
            return await self._answer(request, reply, waiter, wait)

    def may_read(self, found: RequestView, by: Client) -> bool:
        """Whether a client that may see a request may read its data too."""
        return self._is_requester(by, found.request) or not policy.audits_bus(by)

    async def may_see(self, request: Entry, reply: Entry | None, by: Client) -> bool:
        """Whether a client is the requester, the responder, or an auditor of the operator."""
        if self._is_requester(by, request) or policy.audits_bus(by):
            return True
        if not by.has(Role.SUBSCRIBER):
            return False
        if reply is not None and reply.publisher == by.organisation:
            return True
        responder = await self._responders.of(request.event.type)
        return responder is not None and responder.organisation == by.organisation

    async def _store(
        self, candidate: Candidate, requester: Client, needs_responder: bool
    ) -> tuple[Entry, bool]:
        """The entry of the request, and whether it was stored before."""
        event = candidate.event
        error = await self._unanswerable(event, needs_responder)
        if error is not None and await self._reader.find_appended(event.identity) is None:
            raise error
        (appended,) = await self._writer.append((candidate,))
        if not appended.same:
            raise IdentifierReused
        if not appended.duplicate:
            ACCEPTED.inc()
            return Entry.of(candidate, appended), False
        found = await self._reader.entry_at(appended.shard, appended.sequence)
        if found is None or found.publisher != requester.organisation:
            raise IdentifierReused
        return found, True

    async def _unanswerable(
        self, event: Event, needs_responder: bool
    ) -> Refused | Unavailable | None:
        """Why a request that is not stored yet cannot be answered."""
        try:
            require_not_expired(event)
        except Refused as error:
            return error
        if needs_responder and await self._responders.of(event.type) is None:
            return NoResponder(
                f"There is no responder for {event.type} now. Try again later, or ask with "
                "no_responder=wait: a responder that subscribes before the deadline gets it."
            )
        return None

    async def _answer(
        self, request: Entry, reply: Entry | None, waiter: ReplyWaiter, wait: float
    ) -> RequestView:
        if reply is None:
            left = (deadline(request.event, request.recorded) - datetime.now(UTC)).total_seconds()
            reply = await waiter.wait(min(wait, left + _PAST))
            if reply is None and left <= wait:
                reply = await self._reply(request)  # the announcement may have been lost
            if reply is not None:
                SECONDS.observe((reply.recorded - request.recorded).total_seconds())
        found = RequestView(request, reply)
        if found.state is not RequestState.EXPIRED:
            return found
        EXPIRED.inc()
        return RequestView(request, None, tuple(await self._refused.of(request.event.identity)))

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

    def _is_requester(self, by: Client, request: Entry) -> bool:
        return policy.may_read_events_of(by, request.publisher)


def no_reply(found: RequestView) -> NoReply:
    """The error with which a call ends whose request has expired."""
    why = (
        "A reply was refused; tell the responder."
        if found.refused
        else "The responder has not replied."
    )
    refused = [
        {
            "recordedtime": rfc3339(each.recorded),
            "organisation": each.organisation,
            "reason": each.reason,
        }
        for each in found.refused
    ]
    return NoReply(
        f"No reply came before {rfc3339(found.expires)}. {why}",
        {"request": found.id, "refused_replies": refused},
    )


def _unknown() -> NotFound:
    return NotFound("There is no such request that you may see.")
