"""The consumer runtime: consume, check the inbox, handle, settle.

    queue -> event -> inbox -> handler -> commit -> ack
                        |         |
                   duplicate   Retry: roll back, again after a delay; Reject: dead letter

Events of one ordering key are handled one after the other, others concurrently. A message is
settled after its transaction has committed. After a crash it is delivered again, and the inbox
makes that harmless.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

import aio_pika
import structlog
from aio_pika.abc import AbstractIncomingMessage
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncSession

from consumers.broker import OUTAGES, channel_closed, wait_for_any
from consumers.events import TEST_EVENT, Event, NotAnEvent, event_from_message
from consumers.inbox import Inbox
from consumers.outcomes import Done, Outcome, Reject, Retry, RetryPolicy, facts_of
from consumers.reporting import Reporter

AmqpUrl = str | Callable[[], Awaitable[str]]
"""The AMQP URL with the password, or a function that returns it, called for each connection."""

Handler = Callable[[Event, AsyncSession], Awaitable[Outcome]]
"""Handles one event in the given transaction. Its effects elsewhere must be idempotent."""

_AWAY: tuple[type[BaseException], ...] = (
    OSError,
    TimeoutError,
    PoolTimeout,
    OperationalError,
    InterfaceError,
)
# SQLSTATE classes (PostgreSQL, appendix A): no connection, no resources, shutting down.
_AWAY_STATES = ("08", "53", "57P")
CONNECT = 10.0  # seconds
HEARTBEAT = 15  # seconds
_log = structlog.get_logger()


@dataclass
class Counts:
    """Counters of a consumer since it started."""

    handled: int = 0
    repeated: int = 0
    retried: int = 0
    rejected: int = 0
    reconnected: int = 0


@dataclass
class Consumer:
    """Reads one queue and handles its events by type.

    `handlers` maps event types to handlers, `*` matches every other type, and an event without a
    handler is rejected. At most `prefetch` messages are in flight. After a lost connection it
    waits `reconnect_delay` seconds; a stop gives handlers `stop_timeout` seconds to finish. The
    `reporter` reports settled events to the gateway.
    """

    amqp_url: AmqpUrl = field(repr=False)
    queue: str
    inbox: Inbox
    handlers: Mapping[str, Handler]
    prefetch: int = 50
    retry: RetryPolicy = RetryPolicy()  # noqa: RUF009 - frozen
    reconnect_delay: float = 1.0
    stop_timeout: float = 30.0
    reporter: Reporter | None = None
    counts: Counts = field(default_factory=Counts)
    _stopping: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _ending: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _broken: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set, init=False)
    _last_of_key: dict[str, asyncio.Task[None]] = field(default_factory=dict, init=False)

    def stop(self) -> None:
        """Take no more messages. `run` returns when those in flight are settled."""
        self._stopping.set()

    async def run(self) -> None:
        """Consume until `stop`, reconnecting as needed, then report the rest."""
        reporting = asyncio.create_task(self.reporter.run()) if self.reporter else None
        try:
            await self._consume_all()
        finally:
            if self.reporter and reporting:
                self.reporter.finish()
                _, late = await asyncio.wait({reporting}, timeout=self.stop_timeout)
                for task in late:
                    task.cancel()

    async def _consume_all(self) -> None:
        while not self._stopping.is_set():
            try:
                await self._consume()
            except OUTAGES as error:
                _log.warning("consumer.broker_lost", queue=self.queue, reason=str(error))
            if not self._stopping.is_set():
                self.counts.reconnected += 1
                with suppress(TimeoutError):
                    async with asyncio.timeout(self.reconnect_delay):
                        await self._stopping.wait()

    async def _consume(self) -> None:
        """Consume over one connection, until it is lost, the queue is deleted, or `stop`."""
        async with asyncio.timeout(CONNECT):
            connection = await aio_pika.connect(
                await self._current_url(),
                heartbeat=HEARTBEAT,
                client_properties={"product": "nusabus"},
            )
        try:
            channel = await connection.channel()
            await channel.set_qos(prefetch_count=self.prefetch)
            closed = await channel_closed(channel)
            queue = await channel.get_queue(self.queue, ensure=False)
            self._ending, self._broken = asyncio.Event(), asyncio.Event()
            tag = await queue.consume(self._take)
            await wait_for_any(closed, self._broken, self._stopping)
            self._ending.set()
            if not closed.is_set():
                await queue.cancel(tag)
            await self._finish()
        finally:
            with suppress(*OUTAGES):
                async with asyncio.timeout(CONNECT):
                    await connection.close()

    async def _current_url(self) -> str:
        """The AMQP URL. Raises ConnectionError if the function that returns it fails."""
        if isinstance(self.amqp_url, str):
            return self.amqp_url
        try:
            return await self.amqp_url()
        except Exception as error:
            reason = f"Cannot get the AMQP URL: {type(error).__name__}"
            raise ConnectionError(reason) from error

    async def _finish(self) -> None:
        """Let handlers finish. Messages that wait for them go back to the queue."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=self.stop_timeout)
        for task in set(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._last_of_key.clear()

    async def _take(self, message: AbstractIncomingMessage) -> None:
        """Handle a message after those of its key.

        A message that arrives during the end goes back to the queue with the connection, because
        an earlier one of its key may go back too.
        """
        if self._broken.is_set() or self._ending.is_set():
            return
        try:
            event = event_from_message(message.body, message.headers, message.content_type)
        except NotAnEvent as error:
            _log.error("consumer.message_unreadable", queue=self.queue, reason=str(error))
            await self._settle(message, Reject(str(error)))
            return
        key = event.ordering_key
        task = asyncio.create_task(self._process(message, event, self._last_of_key.get(key)))
        self._last_of_key[key] = task
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._processed(key, done))

    def _processed(self, key: str, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if self._last_of_key.get(key) is task:
            del self._last_of_key[key]
        error = None if task.cancelled() else task.exception()
        if error is not None:
            _log.error("consumer.task_failed", queue=self.queue, **facts_of(error))
        if (task.cancelled() or error) and not self._ending.is_set():
            # Its message stays unsettled, and blocks its key, until the connection is closed.
            self._broken.set()

    async def _process(
        self, message: AbstractIncomingMessage, event: Event, previous: asyncio.Task[None] | None
    ) -> None:
        if previous is not None:
            await asyncio.wait({previous})
            if previous.cancelled() or previous.exception() is not None:
                # That message goes back to the queue, so those after it must go back too.
                raise asyncio.CancelledError
        if self._ending.is_set() and previous is not None:
            raise asyncio.CancelledError
        outcome = await self._handle(event)
        settled = await self._settle(message, outcome)
        if settled and isinstance(outcome, Done) and self.reporter:
            self.reporter.settled(event.attributes.get("sequence"))

    async def _handle(self, event: Event) -> Done | Reject:
        """Handle an event until it is done or rejected. An outage is not an attempt."""
        handler = self.handlers.get(event.type)
        if handler is None and event.type == TEST_EVENT:
            _log.info("consumer.test_event_received", queue=self.queue, id=event.id)
            return Done()
        handler = handler or self.handlers.get("*")
        if handler is None:
            return Reject(f"No handler for {event.type}.")
        attempt, outages = 1, 0
        while True:
            try:
                outcome = await self._try(event, handler)
            except _AWAY as error:
                outages += 1
                _log.warning("consumer.database_lost", queue=self.queue, reason=str(error)[:200])
                await self._pause(self.retry.delay(outages))
                continue
            if not isinstance(outcome, Retry):
                return outcome
            if attempt >= self.retry.attempts:
                return Reject(f"Attempt {attempt} was the last: {outcome.reason}")
            self.counts.retried += 1
            _log.warning(
                "consumer.retry_scheduled",
                queue=self.queue,
                type=event.type,
                attempt=attempt,
                reason=outcome.reason,
            )
            delay = self.retry.delay(attempt) if outcome.after is None else outcome.after
            await self._pause(delay)
            attempt += 1

    async def _try(self, event: Event, handler: Handler) -> Outcome:
        """One attempt. Raises in an outage of the database, whether it committed or not."""
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
            if isinstance(error, DBAPIError) and _is_outage(error):
                raise ConnectionError(str(error.orig)) from error
            facts = facts_of(error)
            _log.error("consumer.handler_failed", queue=self.queue, type=event.type, **facts)
            return Retry(type(error).__name__)
        self.counts.handled += 1
        return Done()

    async def _pause(self, seconds: float) -> None:
        """Wait. If the end begins meanwhile, the message goes back to the queue."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._ending.wait()
        if self._ending.is_set():
            raise asyncio.CancelledError

    async def _settle(self, message: AbstractIncomingMessage, outcome: Done | Reject) -> bool:
        """Settle a message. False in an outage: the message is delivered again."""
        try:
            if isinstance(outcome, Done):
                await message.ack()
            else:
                self.counts.rejected += 1
                _log.error("consumer.event_rejected", queue=self.queue, reason=outcome.reason)
                await message.reject(requeue=False)
        except OUTAGES:
            return False
        return True


def _is_outage(error: DBAPIError) -> bool:
    state = getattr(error.orig, "sqlstate", None) or ""
    return error.connection_invalidated or str(state).startswith(_AWAY_STATES)


class _RollBack(Exception):
    def __init__(self, outcome: Retry | Reject) -> None:
        self.outcome = outcome
