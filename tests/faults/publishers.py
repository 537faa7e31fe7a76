"""Publishers that follow the rules of the bus: what has no answer is sent again with the same id.

A key belongs to one publisher, which sends the next event of a key only after the last one was
answered ok: so the order that the journal must have is known. Among the good events are repeats,
other events under an id that is taken, broken events, and types of somebody else.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from random import Random
from uuid import UUID

from msgspec.structs import replace

from gateway.base.event import Event
from tests.faults.events import Draft, another_content, broken_content, new_event
from tests.faults.gateway_client import GatewayClient
from tests.faults.run_log import Answer, Attempt, Kind, Reply, RunLog

AGAIN = 0.15  # seconds until an event without an answer is sent again
REMEMBERED = 50  # accepted events of a publisher that may be repeated
BATCH = range(3, 15)


class Mode(Enum):
    """How a publisher sends events."""

    STRUCTURED = auto()
    BINARY = auto()
    BATCH = auto()
    ATOMIC = auto()
    STREAM = auto()


@dataclass(frozen=True, slots=True)
class PublisherPlan:
    """What one organisation publishes. The types of a key follow one another in turn.

    `foreign` is a type that it may not publish; `pause` is the mean number of seconds between two
    requests of a publisher.
    """

    organisation: str
    mode: Mode
    types: Sequence[str]
    foreign: str
    publishers: int = 2
    keys: int = 4
    partitioned: bool = False
    pause: float = 0.1


class Publisher:
    """One sequential publisher with keys of its own."""

    def __init__(
        self, plan: PublisherPlan, number: int, client: GatewayClient, run_log: RunLog, seed: int
    ) -> None:
        self._plan = plan
        self._client = client
        self._run_log = run_log
        self._random = Random(f"{seed} {plan.organisation} {plan.mode} {number}")
        self._source = f"/{plan.organisation}/{number}"
        self._orders = dict.fromkeys(
            (f"{plan.organisation}-{number}-{key}" for key in range(plan.keys)), 0
        )
        self._accepted: list[Draft] = []

    async def run(self, stop: asyncio.Event) -> None:
        """Publish until stopped; what was begun is ended with an answer."""
        while not stop.is_set():
            if self._plan.mode in (Mode.BATCH, Mode.ATOMIC):
                await self._batch()
            else:
                await self._single()
            await asyncio.sleep(self._random.expovariate(1 / self._plan.pause))

    async def _single(self) -> None:
        draft = self._draft()
        structured = (self._plan.mode is Mode.STRUCTURED) is (self._random.random() < 0.9)
        send = self._client.send_structured if structured else self._client.send_binary

        async def one(drafts: Sequence[Draft]) -> list[Reply]:
            return [await send(drafts[0].event)]

        await self._until_answered([draft], one)

    async def _batch(self) -> None:
        drafts = [self._draft() for _ in range(self._random.choice(BATCH))]
        atomic = self._plan.mode is Mode.ATOMIC

        async def many(some: Sequence[Draft]) -> list[Reply]:
            return await self._client.send_batch([draft.event for draft in some], atomic=atomic)

        if atomic:
            conflicts = [draft for draft in drafts if draft.kind is Kind.CONFLICT]
            drafts = [draft for draft in drafts if draft.kind is not Kind.CONFLICT]
            for conflict in conflicts:  # refuses the whole batch, so it is sent alone
                await self._until_answered([conflict], many)
        await self._until_answered(drafts, many)

    async def _until_answered(
        self, drafts: Sequence[Draft], send: Callable[[Sequence[Draft]], Awaitable[list[Reply]]]
    ) -> None:
        """Send until each has an answer; good events of a withheld batch go without the bad."""
        while drafts:
            sent = time.monotonic()
            replies = await send(drafts)
            for draft, reply in zip(drafts, replies, strict=True):
                self._note(draft, reply, sent)
            pairs = list(zip(drafts, replies, strict=True))
            drafts = [
                draft
                for draft, reply in pairs
                if reply.answer is Answer.UNKNOWN or (reply.status == 424)
            ]
            if any(reply.answer is Answer.UNKNOWN for reply in replies):
                await asyncio.sleep(AGAIN)

    def _note(self, draft: Draft, reply: Reply, sent: float, *, streamed: bool = False) -> None:
        attempt = attempt_of(draft.event, draft.order, draft.kind, reply, sent, streamed=streamed)
        self._run_log.attempt(attempt)
        if draft.kind is Kind.NEW and reply.answer is Answer.OK:
            self._accepted = [*self._accepted[-REMEMBERED:], draft]

    def _draft(self) -> Draft:
        """The next thing to send."""
        lot = self._random.random()
        if self._accepted and lot < 0.08:
            known = self._random.choice(self._accepted)
            if lot < 0.05:
                return Draft(known.event, Kind.REPEAT, known.order)
            return Draft(another_content(known.event), Kind.CONFLICT, 0)
        if lot < 0.11:
            return Draft(broken_content(self._event("rusak", 0)), Kind.INVALID, 0)
        if lot < 0.115:
            spoken_for = replace(
                self._event("asing", 0), source=f"/{self._plan.foreign.split('.')[2]}/sistem"
            )
            return Draft(spoken_for, Kind.FORBIDDEN, 0)
        if lot < 0.125:
            foreign = self._event("asing", 0, self._plan.foreign)
            return Draft(foreign, Kind.FORBIDDEN, 0)
        return self._new()

    def _new(self) -> Draft:
        """The next event of a key."""
        key = self._random.choice(list(self._orders))
        self._orders[key] += 1
        return Draft(self._event(key, self._orders[key]), Kind.NEW, self._orders[key])

    def _event(self, key: str, order: int, type: str | None = None) -> Event:
        types = self._plan.types
        return new_event(
            type or types[order % len(types)],
            self._source,
            f"{key}-{order}" if self._plan.partitioned else key,
            UUID(int=self._random.getrandbits(128), version=4),
            key if self._plan.partitioned else None,
        )


def attempt_of(
    event: Event, order: int, kind: Kind, reply: Reply, sent: float, *, streamed: bool = False
) -> Attempt:
    """An event that was sent at `sent` (monotonic seconds) and is answered now."""
    return Attempt(
        event.source,
        event.id,
        event.type,
        event.digest,
        event.ordering_key,
        order,
        kind,
        reply,
        sent,
        time.monotonic(),
        streamed,
    )
