"""The consumer runtime: consume, look into the inbox, handle, settle.

    queue -> event -> inbox -> handler -> commit -> ack
                        |         |
                     repeat    Retry: roll back, again after a while; Reject: dead letter

Events of one ordering key are handled one after the other, others side by side. A message is
settled after its transaction has committed, so a crash at any moment repeats it, and the inbox
makes the repeat harmless.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

import aio_pika
import structlog
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage
from aiormq.exceptions import AMQPError
from pamqp.exceptions import PAMQPException
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncSession

from consumers.events import Event, NotAnEvent, event_of
from consumers.inbox import Inbox
from consumers.outcomes import Done, Outcome, Reject, Retry

Handler = Callable[[Event, AsyncSession], Awaitable[Outcome]]
"""Handles one event in the transaction given; what it does elsewhere it must be able to repeat."""

OUTAGES: tuple[type[BaseException], ...] = (
    OSError,
    EOFError,
    TimeoutError,
    RuntimeError,  # aiormq's "closed" and "invalid state"
    AMQPError,
    PAMQPException,
    StopAsyncIteration,
)
_AWAY: tuple[type[BaseException], ...] = (
    OSError,
    TimeoutError,
    PoolTimeout,
    OperationalError,
    InterfaceError,
)
CONNECT = 10.0  # seconds
HEARTBEAT = 15  # seconds
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Patience:
    """How often and how long to try. Delays are in seconds and double up to the longest."""

    attempts: int = 5
    first_delay: float = 0.5
    longest_delay: float = 30.0
    reconnect: float = 1.0
    stop: float = 30.0

    def delay(self, attempt: int) -> float:
        """The delay after a failed attempt, counted from 1, with up to a fifth of jitter."""
        delay: float = min(self.first_delay * 2.0 ** (attempt - 1), self.longest_delay)
        return delay * random.uniform(0.8, 1.0)  # noqa: S311 - no secret


@dataclass
class Counts:
    """What a consumer has done since it began."""

    handled: int = 0
    repeated: int = 0
    retried: int = 0
    rejected: int = 0
    reconnected: int = 0


@dataclass
class Consumer:
    """Reads one queue and handles its events by type.

    `handlers` are by event type, or `*` for every other; an event without one is rejected. At most
    `prefetch` messages are in hands at once.
    """

    amqp_url: str = field(repr=False)
    queue: str
    inbox: Inbox
    handlers: Mapping[str, Handler]
    prefetch: int = 50
    patience: Patience = Patience()
    counts: Counts = field(default_factory=Counts)
    _stopping: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _ending: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _chains: dict[str, asyncio.Task[None]] = field(default_factory=dict, init=False)

    def stop(self) -> None:
        """Take nothing more; `run` returns when what is being handled is settled."""
        self._stopping.set()

    async def run(self) -> None:
        """Consume until stopped, over one connection after another."""
        while not self._stopping.is_set():
            try:
                await self._consume()
            except OUTAGES as error:
                _log.warning("consumer.broker_away", queue=self.queue, reason=str(error))
            if not self._stopping.is_set():
                self.counts.reconnected += 1
                with suppress(TimeoutError):
                    async with asyncio.timeout(self.patience.reconnect):
                        await self._stopping.wait()

    async def _consume(self) -> None:
        """One connection: until it, its channel or the queue is gone, or until stopped."""
        async with asyncio.timeout(CONNECT):
            connection = await aio_pika.connect(
                self.amqp_url, heartbeat=HEARTBEAT, client_properties={"product": "nusabus"}
            )
        try:
            channel = await connection.channel()
            await channel.set_qos(prefetch_count=self.prefetch)
            gone = await _when_gone(channel)
            queue = await channel.get_queue(self.queue, ensure=False)
            self._ending = asyncio.Event()
            tag = await queue.consume(self._take)
            await _first(gone, self._stopping)
            self._ending.set()
            if not gone.is_set():
                await queue.cancel(tag)
            await self._finish()
        finally:
            with suppress(*OUTAGES):
                async with asyncio.timeout(CONNECT):
                    await connection.close()

    async def _finish(self) -> None:
        """Let what is being handled come to its end; what waits behind it goes back."""
        working = set(self._chains.values())
        if working:
            await asyncio.wait(working, timeout=self.patience.stop)
        for task in set(self._chains.values()):
            task.cancel()
        await asyncio.gather(*self._chains.values(), return_exceptions=True)
        self._chains.clear()

    async def _take(self, message: AbstractIncomingMessage) -> None:
        """Queue a message behind those of its key."""
        try:
            event = event_of(message.body, message.headers, message.content_type)
        except NotAnEvent as error:
            _log.error("consumer.not_an_event", queue=self.queue, reason=str(error))
            await self._settle(message, Reject(str(error)))
            return
        key = event.ordering_key
        task = asyncio.create_task(self._work(message, event, self._chains.get(key)))
        self._chains[key] = task
        task.add_done_callback(lambda done: self._end_chain(key, done))

    def _end_chain(self, key: str, task: asyncio.Task[None]) -> None:
        if self._chains.get(key) is task:
            del self._chains[key]

    async def _work(
        self, message: AbstractIncomingMessage, event: Event, before: asyncio.Task[None] | None
    ) -> None:
        if before is not None:
            await asyncio.wait({before})
            if before.cancelled() or before.exception() is not None:
                return  # it went back to the queue, and so must what comes after it
        if self._ending.is_set() and before is not None:
            raise asyncio.CancelledError
        outcome = await self._handle(event)
        await self._settle(message, outcome)

    async def _handle(self, event: Event) -> Done | Reject:
        """Try until it is done, or rejected. An outage of the database is no attempt."""
        handler = self.handlers.get(event.type) or self.handlers.get("*")
        if handler is None:
            return Reject(f"nobody here handles {event.type}")
        attempt, outages = 1, 0
        while True:
            try:
                outcome = await self._try(event, handler)
            except _AWAY as error:
                outages += 1
                _log.warning("consumer.database_away", queue=self.queue, reason=str(error)[:200])
                await self._pause(self.patience.delay(outages))
                continue
            if not isinstance(outcome, Retry):
                return outcome
            if attempt >= self.patience.attempts:
                return Reject(f"attempt {attempt} was the last: {outcome.reason}")
            self.counts.retried += 1
            _log.warning(
                "consumer.retry",
                queue=self.queue,
                type=event.type,
                attempt=attempt,
                reason=outcome.reason,
            )
            delay = self.patience.delay(attempt) if outcome.after is None else outcome.after
            await self._pause(delay)
            attempt += 1

    async def _try(self, event: Event, handler: Handler) -> Outcome:
        """One attempt. Raises where the database is away: it may or may not have committed."""
        try:
            async with self.inbox.once(event) as session:
                if session is None:
                    self.counts.repeated += 1
                    return Done()
                outcome = await handler(event, session)
                if not isinstance(outcome, Done):
                    raise _RollBack(outcome)
        except _RollBack as rolled_back:
            return rolled_back.outcome
        except _AWAY:
            raise
        except Exception as error:
            if isinstance(error, DBAPIError) and error.connection_invalidated:
                raise ConnectionError(str(error.orig)) from error
            _log.exception("consumer.handler_failed", queue=self.queue, type=event.type)
            return Retry(type(error).__name__)
        self.counts.handled += 1
        return Done()

    async def _pause(self, seconds: float) -> None:
        """Wait; where the end comes first, the message goes back to the queue."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._ending.wait()
        if self._ending.is_set():
            raise asyncio.CancelledError

    async def _settle(self, message: AbstractIncomingMessage, outcome: Done | Reject) -> None:
        with suppress(*OUTAGES):  # then it comes again, and the inbox knows it
            if isinstance(outcome, Done):
                await message.ack()
                return
            self.counts.rejected += 1
            _log.error("consumer.rejected", queue=self.queue, reason=outcome.reason)
            await message.reject(requeue=False)


class _RollBack(Exception):
    def __init__(self, outcome: Retry | Reject) -> None:
        self.outcome = outcome


async def _when_gone(channel: AbstractChannel) -> asyncio.Event:
    """Set when the broker ends the channel, or the consumer on it."""
    gone = asyncio.Event()
    underlay = await channel.get_underlay_channel()
    underlay.closing.add_done_callback(lambda _: gone.set())
    underlay.on_consumer_cancel_callbacks.add(lambda _: gone.set())
    return gone


async def _first(*events: asyncio.Event) -> None:
    waits = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in waits:
            each.cancel()
