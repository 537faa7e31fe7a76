"""Pull delivery: a receiver locks events, processes them, and settles each by its token.

Any process can answer any call: the locks are in the database, and a token names its lock.
"""

import asyncio
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from struct import Struct
from struct import error as NotAToken
from typing import NamedTuple

from gateway.base.errors import Conflict
from gateway.base.snapshot import Snapshot
from gateway.contracts import Catalogue, Failure
from gateway.delivery.journal_scanner import JournalScanner
from gateway.delivery.store import TEST_SHARD, Claim, Deliveries, DeliveryLimits, Key, Locked
from gateway.delivery.test_event import make_test_entry
from gateway.delivery.wakeups import Wakeups
from gateway.identity import Directory
from gateway.journal import Entry, JournalReader, Position
from gateway.request_reply import expired
from gateway.subscriptions import Delivery, Subscription
from gateway.subscriptions.permissions import require_right

RETRY = 0.1  # seconds until the next attempt where another call may have taken the events
_token = Struct(">hQ16s")


class TokenResult(StrEnum):
    """The result of settling one token."""

    SETTLED = "settled"
    GONE = "gone"  # settled before, delivered again after its lock expired, or not a token of ours


@dataclass(frozen=True, slots=True)
class ReceivedEvent:
    """An event that the receiver has locked until `until`; `token` settles it."""

    entry: Entry
    attempt: int
    until: datetime
    token: str


class ReceiveResult(NamedTuple):
    """The events of one call; `retry_after`: seconds to wait where the rate limit allowed none."""

    events: list[ReceivedEvent]
    retry_after: float | None


class _ReceiveAttempt(NamedTuple):
    """One attempt; `certain`: nothing more is there until the next wake-up."""

    result: ReceiveResult
    certain: bool


class PullDelivery:
    """Delivers events to receivers that ask for them, and settles them."""

    def __init__(
        self,
        reader: JournalReader,
        deliveries: Deliveries,
        scanner: JournalScanner,
        wakeups: Wakeups,
        directory: Snapshot[Directory],
        catalogue: Snapshot[Catalogue],
    ) -> None:
        self._reader = reader
        self._deliveries = deliveries
        self._scanner = scanner
        self._wakeups = wakeups
        self._directory = directory
        self._catalogue = catalogue

    async def receive(
        self,
        subscription: Subscription,
        *,
        limit: int,
        wait: float,
        abandoned: Callable[[], Awaitable[bool]] | None = None,
    ) -> ReceiveResult:
        """Lock up to `limit` events that are due; wait up to `wait` seconds for the first.

        Where the rate limit allows none now, the call waits for that as well. `abandoned` says
        whether the receiver has gone away while it waited: then nothing is locked for it.

        Raises Conflict where the subscription is paused or delivered in another way, Forbidden
        where the right to receive its types was withdrawn.
        """
        self.require(subscription)
        deadline = time.monotonic() + wait
        with self._wakeups.of(subscription) as waiter:
            while True:
                result, certain = await self._receive(subscription, limit)
                left = deadline - time.monotonic()
                if result.events or left <= 0 or self._wakeups.ended:
                    return result
                if result.retry_after:
                    await asyncio.sleep(min(max(RETRY, result.retry_after), left))
                else:
                    await waiter.wait(left if certain else min(RETRY, left))
                if abandoned is not None and await abandoned():
                    return ReceiveResult([], None)

    def require(self, subscription: Subscription) -> None:
        """Raises Conflict or Forbidden where nothing may be received from the subscription."""
        self._require_settling(subscription)
        if subscription.paused:
            raise Conflict(f"Subscription {subscription.name} is paused. Resume it first.")

    async def acknowledge(
        self, subscription: Subscription, tokens: Sequence[str]
    ) -> list[TokenResult]:
        """Settle events that the receiver has processed."""
        return await self._settle(
            subscription, tokens, lambda key, claims: self._deliveries.acknowledge(key, claims)
        )

    async def release(
        self, subscription: Subscription, tokens: Sequence[str], *, delay: float, reason: str
    ) -> list[TokenResult]:
        """Give events back, to be delivered again after `delay` seconds.

        After the last attempt that the terms allow, an event becomes a dead letter.
        """
        return await self._settle(
            subscription,
            tokens,
            lambda key, claims: self._deliveries.release(
                key, claims, delay=delay, failure=Failure.RELEASED, detail=reason
            ),
        )

    async def reject(
        self, subscription: Subscription, tokens: Sequence[str], *, reason: str
    ) -> list[TokenResult]:
        """Make dead letters of events that the receiver can never process."""
        return await self._settle(
            subscription,
            tokens,
            lambda key, claims: self._deliveries.reject(
                key, claims, failure=Failure.REJECTED, detail=reason
            ),
        )

    async def renew(
        self, subscription: Subscription, tokens: Sequence[str], *, seconds: float
    ) -> list[TokenResult]:
        """Extend the locks to `seconds` from now."""
        return await self._settle(
            subscription,
            tokens,
            lambda key, claims: self._deliveries.renew(key, claims, seconds=seconds),
        )

    async def _receive(self, subscription: Subscription, limit: int) -> _ReceiveAttempt:
        terms, key = subscription.terms, subscription.key
        limits = DeliveryLimits(terms.attempts, terms.lock_seconds, terms.rate, terms.max_age)
        locked, left, wait = await self._deliveries.lock(key, limit=limit, limits=limits)
        opened, certain = list[Entry](), False
        if left > 0:
            room = terms.in_flight - await self._deliveries.count_open(key)
            if room > 0:
                opened, certain = await self._scanner.open_deliveries(
                    subscription, limit=min(left, room)
                )
            if opened:
                more, _, wait = await self._deliveries.lock(key, limit=left, limits=limits)
                locked += more
        entries = await self._entries(key, locked, opened)
        received = [
            ReceivedEvent(entries[each.position], each.attempt, each.until, _token_of(each))
            for each in locked
        ]
        if subscription.is_responder:
            received = await self._before_deadline(subscription, received)
        retry_after = None if received else wait or None
        return _ReceiveAttempt(ReceiveResult(received, retry_after), certain)

    async def _before_deadline(
        self, subscription: Subscription, received: Sequence[ReceivedEvent]
    ) -> list[ReceivedEvent]:
        """The requests whose deadline has not passed; the others are settled."""
        late = [each for each in received if expired(each.entry.event, each.entry.recorded)]
        claims = [claim for each in late if (claim := _claim(each.token))]
        if claims:
            await self._deliveries.expire(subscription.key, claims)
        return [each for each in received if each not in late]

    async def _entries(
        self, key: Key, locked: Iterable[Locked], opened: Iterable[Entry]
    ) -> Mapping[Position, Entry]:
        entries = {Position(entry.shard, entry.sequence): entry for entry in opened}
        for each in locked:
            if each.position.shard == TEST_SHARD:
                entries[each.position] = make_test_entry(key, each.position.sequence, each.recorded)
        missing = [each.position for each in locked if each.position not in entries]
        for entry in await self._reader.entries_at(missing):
            entries[Position(entry.shard, entry.sequence)] = entry
        return entries

    async def _settle(
        self,
        subscription: Subscription,
        tokens: Sequence[str],
        settle: Callable[[tuple[str, str], list[Claim]], Awaitable[set[Claim]]],
    ) -> list[TokenResult]:
        self._require_settling(subscription)
        claims = [_claim(token) for token in tokens]
        settled = await settle(subscription.key, [claim for claim in claims if claim])
        self._wakeups.wake(subscription.key)
        return [TokenResult.SETTLED if claim in settled else TokenResult.GONE for claim in claims]

    def _require_settling(self, subscription: Subscription) -> None:
        if subscription.delivery is not Delivery.PULL:
            raise Conflict(
                f"Subscription {subscription.name} is delivered by {subscription.delivery}. Only "
                "pull subscriptions can be received from."
            )
        require_right(subscription, self._directory.value, self._catalogue.value)


def _token_of(locked: Locked) -> str:
    return urlsafe_b64encode(_token.pack(*locked.position, locked.lock)).rstrip(b"=").decode()


def _claim(token: str) -> Claim | None:
    """The claim that a token encodes; None where it is not a token of ours."""
    try:
        raw = urlsafe_b64decode(token.encode("ascii") + b"=" * (-len(token) % 4))
        shard, sequence, lock = _token.unpack(raw)
    except (NotBase64, NotAToken, UnicodeEncodeError):
        return None
    return (
        Claim(Position(shard, sequence), lock) if sequence < 1 << 63 and shard < 1 << 15 else None
    )
