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
from aio_pika.abc import AbstractIncomingMessage
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncSession

from consumers.broker import OUTAGES, first, when_gone
from consumers.events import TEST, Event, NotAnEvent, event_from_message
from consumers.inbox import Inbox
from consumers.outcomes import Done, Outcome, Reject, Retry
from consumers.reporting import Reporter

Address = str | Callable[[], Awaitable[str]]
"""The AMQP URL with the password in it; or what finds it out, asked again for each connection."""

Handler = Callable[[Event, AsyncSession], Awaitable[Outcome]]
"""Handles one event in the transaction given; what it does elsewhere it must be able to repeat."""

_AWAY: tuple[type[BaseException], ...] = (
    OSError,
    TimeoutError,
    PoolTimeout,
    OperationalError,
    InterfaceError,
)
# SQLSTATE (PostgreSQL, appendix A): no connection, no room for one, ended or starting.
_AWAY_STATES = ("08", "53", "57P")
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
    `prefetch` messages are in hands at once. The `reporter` tells the bus what was settled.
    """

    amqp_url: Address = field(repr=False)
    queue: str
    inbox: Inbox
    handlers: Mapping[str, Handler]
    prefetch: int = 50
    patience: Patience = Patience()
    reporter: Reporter | None = None
    counts: Counts = field(default_factory=Counts)
    _stopping: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _ending: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _broken: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _working: set[asyncio.Task[None]] = field(default_factory=set, init=False)
    _chains: dict[str, asyncio.Task[None]] = field(default_factory=dict, init=False)

    def stop(self) -> None:
        """Take nothing more; `run` returns when what is being handled is settled."""
        self._stopping.set()

    async def run(self) -> None:
        """Consume until stopped, over one connection after another; then report what is left."""
        reporting = asyncio.create_task(self.reporter.run()) if self.reporter else None
        try:
            await self._consume_all()
        finally:
            if self.reporter and reporting:
                self.reporter.finish()
                _, late = await asyncio.wait({reporting}, timeout=self.patience.stop)
                for task in late:
                    task.cancel()

    async def _consume_all(self) -> None:
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
                await self._address(), heartbeat=HEARTBEAT, client_properties={"product": "nusabus"}
            )
        try:
            channel = await connection.channel()
            await channel.set_qos(prefetch_count=self.prefetch)
            gone = await when_gone(channel)
            queue = await channel.get_queue(self.queue, ensure=False)
            self._ending, self._broken = asyncio.Event(), asyncio.Event()
            tag = await queue.consume(self._take)
            await first(gone, self._broken, self._stopping)
            self._ending.set()
            if not gone.is_set():
                await queue.cancel(tag)
            await self._finish()
        finally:
            with suppress(*OUTAGES):
                async with asyncio.timeout(CONNECT):
                    await connection.close()

    async def _address(self) -> str:
        """Where to connect. Who is asked for it may be away as the broker may."""
        if isinstance(self.amqp_url, str):
            return self.amqp_url
        try:
            return await self.amqp_url()
        except Exception as error:
            what = f"the AMQP URL could not be found out: {type(error).__name__}"
            raise ConnectionError(what) from error

    async def _finish(self) -> None:
        """Let what is being handled come to its end; what waits behind it goes back."""
        if self._working:
            await asyncio.wait(self._working, timeout=self.patience.stop)
        for task in set(self._working):
            task.cancel()
        await asyncio.gather(*self._working, return_exceptions=True)
        self._chains.clear()

    async def _take(self, message: AbstractIncomingMessage) -> None:
        """Queue a message behind those of its key.

        What still comes when the end has begun goes back to the queue with the connection: it may
        stand behind one of its key that does.
        """
        if self._broken.is_set() or self._ending.is_set():
            return
        try:
            event = event_from_message(message.body, message.headers, message.content_type)
        except NotAnEvent as error:
            _log.error("consumer.not_an_event", queue=self.queue, reason=str(error))
            await self._settle(message, Reject(str(error)))
            return
        key = event.ordering_key
        task = asyncio.create_task(self._work(message, event, self._chains.get(key)))
        self._chains[key] = task
        self._working.add(task)
        task.add_done_callback(lambda done: self._end_work(key, done))

    def _end_work(self, key: str, task: asyncio.Task[None]) -> None:
        self._working.discard(task)
        if self._chains.get(key) is task:
            del self._chains[key]
        error = None if task.cancelled() else task.exception()
        if error is not None:
            _log.error("consumer.work_broke", queue=self.queue, exc_info=error)
        if (task.cancelled() or error) and not self._ending.is_set():
            # It settled nothing, and holds up its key and a place in the window until then.
            self._broken.set()

    async def _work(
        self, message: AbstractIncomingMessage, event: Event, before: asyncio.Task[None] | None
    ) -> None:
        if before is not None:
            await asyncio.wait({before})
            if before.cancelled() or before.exception() is not None:
                # It goes back to the queue, and so must all that comes after it.
                raise asyncio.CancelledError
        if self._ending.is_set() and before is not None:
            raise asyncio.CancelledError
        outcome = await self._handle(event)
        settled = await self._settle(message, outcome)
        if settled and isinstance(outcome, Done) and self.reporter:
            self.reporter.settled(event.attributes.get("sequence"))

    async def _handle(self, event: Event) -> Done | Reject:
        """Try until it is done, or rejected. An outage of the database is no attempt."""
        handler = self.handlers.get(event.type)
        if handler is None and event.type == TEST:
            _log.info("consumer.tried", queue=self.queue, id=event.id)
            return Done()
        handler = handler or self.handlers.get("*")
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
            if isinstance(error, DBAPIError) and _tells_of_an_outage(error):
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

    async def _settle(self, message: AbstractIncomingMessage, outcome: Done | Reject) -> bool:
        """False where the broker is away: then it comes again, and the inbox knows it."""
        try:
            if isinstance(outcome, Done):
                await message.ack()
            else:
                self.counts.rejected += 1
                _log.error("consumer.rejected", queue=self.queue, reason=outcome.reason)
                await message.reject(requeue=False)
        except OUTAGES:
            return False
        return True


def _tells_of_an_outage(error: DBAPIError) -> bool:
    state = getattr(error.orig, "sqlstate", None) or ""
    return error.connection_invalidated or str(state).startswith(_AWAY_STATES)


class _RollBack(Exception):
    def __init__(self, outcome: Retry | Reject) -> None:
        self.outcome = outcome
