"""Publishes many messages in one write and tracks the broker's confirms.

aiormq keeps a future, a lock and two queue hops for each publish, which limits it to 5,000 to 8,000
a second. This publisher marshals a batch into one buffer and reads the confirms from the stream
itself, while connecting, TLS, login, heartbeats and closing stay with aiormq. A publisher is one
connection: when it is lost, open another and publish again what was not settled.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Sequence

from aiormq.connection import Connection

from gateway.base.defects import report_defect
from gateway.base.errors import BrokerUnavailable
from gateway.base.telemetry import log
from gateway.broker.address import with_heartbeat
from gateway.broker.confirm_reader import ConfirmCallbacks, ConfirmTransport
from gateway.broker.connecting import first_host
from gateway.broker.errors import OUTAGES, describe, within
from gateway.broker.frames import Marshaller
from gateway.broker.message import OutgoingMessage
from gateway.broker.pending_confirms import ConfirmOutcome, ConfirmResult, PendingConfirms

OnResults = Callable[[Sequence[ConfirmResult]], None]
"""Called in the event loop with all results that arrived together, in order."""

CONNECT_SECONDS = 10.0
CLOSE_SECONDS = 2.0
LATE_SECONDS = 5.0
"""A confirm that takes longer is reported: a queue has no leader, or stands still."""
WRITE_BYTES = 1 << 20
"""A larger batch is written in pieces, so that large bodies are not in memory twice."""


class ConfirmPublisher:
    """A publishing channel with a connection of its own."""

    def __init__(self, on_results: OnResults, confirm_timeout: float) -> None:
        self._unblocked = asyncio.Event()
        self._unblocked.set()
        self._on_results = on_results
        self._pending = PendingConfirms()
        self._loop = asyncio.get_running_loop()
        self._closed: asyncio.Future[BrokerUnavailable] = self._loop.create_future()
        self._transport = ConfirmTransport(
            ConfirmCallbacks(self._pending, self._report, self._set_blocked, self._end)
        )
        self._connection: Connection | None = None

        self._confirm_timeout = confirm_timeout
        self._interval = min(1.0, confirm_timeout / 4)
        self._seconds = 0.0  # in which a confirm could have come
        self._written: deque[tuple[int, float]] = deque()  # last tag of a write, self._seconds then
        self._tick: asyncio.TimerHandle | None = None
        self._late = False

    @classmethod
    async def open(
        cls, url: str, *, on_results: OnResults, confirm_timeout: float, name: str
    ) -> "ConfirmPublisher":
        """Connect. `name` is shown to operators; `confirm_timeout` is in seconds.

        Raises BrokerUnavailable if that takes longer than CONNECT_SECONDS for a host.
        """

        async def connect(host: str) -> ConfirmPublisher:
            publisher = cls(on_results, confirm_timeout)
            try:
                async with within(CONNECT_SECONDS, "Connecting to RabbitMQ"):
                    await publisher._connect(host, name)
            except BaseException:
                await publisher.close()
                raise
            return publisher

        return await first_host(url, connect)

    async def _connect(self, url: str, name: str) -> None:
        self._connection = connection = Connection(
            with_heartbeat(url),
            transport_factory=self._transport,
            client_properties={"connection_name": name},
        )
        await connection.connect()
        channel = await connection.channel(publisher_confirms=True)
        self._transport.reader.channel = channel.number
        self._marshaller = Marshaller(channel.number, connection.connection_tune.frame_max or 0)
        channel.closing.add_done_callback(self._channel_closed)  # or the connection
        self._ticked_at = self._loop.time()
        self._tick = self._loop.call_later(self._interval, self._count_seconds)

    @property
    def in_flight(self) -> int:
        """Messages that are written and not yet confirmed, refused or returned."""
        return len(self._pending)

    @property
    def blocked(self) -> bool:
        """Whether the broker has stopped reading (an alarm). Messages wait; none is lost."""
        return not self._unblocked.is_set()

    async def wait_unblocked(self) -> None:
        """Wait until the broker reads, or the connection has ended.

        Take messages that expire after this, not before.
        """
        await self._unblocked.wait()

    async def publish(self, messages: Sequence[OutgoingMessage]) -> None:
        """Write messages in order; return when the connection can take more.

        Their tokens come back through `on_results`, perhaps before this returns. Raises
        BrokerUnavailable when the connection has ended or ends: messages without a result may or
        may not have arrived. A message that cannot be made into frames is UNSENDABLE; the others
        are sent.
        """
        for piece in _pieces(messages):
            if self._closed.done():
                raise self._error()
            data, piece = self._marshal(piece)
            if not piece:
                continue
            self._pending.add(piece)
            self._written.append((self._pending.newest, self._seconds))
            writer = self._transport.writer
            try:
                writer.write(data)  # uvloop raises RuntimeError where the transport is closed
                await writer.drain()
            except OUTAGES as error:
                self._end(f"the connection broke: {describe(error)}", error)
            if writer.is_closing():  # a drain also returns when the connection is gone
                self._end("the connection was lost")
                raise self._error()

    def _marshal(self, piece: Sequence[OutgoingMessage]) -> tuple[bytes, Sequence[OutgoingMessage]]:
        """The frames of a piece, and the messages that have any."""
        try:
            return self._marshaller.marshal(piece), piece
        except Exception:
            data, sound, unsendable = self._marshaller.marshal_singly(piece)
        for message, error in unsendable:
            report_defect("broker.message", error, exchange=message.exchange)
        self._report([(each.token, ConfirmOutcome.UNSENDABLE) for each, _ in unsendable])
        return data, sound

    async def closed(self) -> BrokerUnavailable:
        """Wait until the connection has ended, for whatever reason, and return the reason."""
        return await asyncio.shield(self._closed)

    async def close(self) -> None:
        """Close within twice CLOSE_SECONDS, whatever the broker does.

        Messages in flight get no result any more.
        """
        self._end("it was closed")
        if self._connection is None:
            return
        closing = asyncio.ensure_future(self._connection.close())
        try:
            await asyncio.wait({closing}, timeout=CLOSE_SECONDS)
        finally:
            self._transport.abort()
        await asyncio.wait({closing}, timeout=CLOSE_SECONDS)

    def _report(self, results: list[ConfirmResult]) -> None:
        if self._closed.done():
            return
        try:
            self._on_results(results)
        except Exception as error:
            self._end(f"the results could not be handled: {describe(error)}", error)

    def _set_blocked(self, blocked: bool) -> None:
        if blocked:
            self._unblocked.clear()
        else:
            self._unblocked.set()

    def _count_seconds(self) -> None:
        """Advance the clock of the confirm timeout, and end the connection if one is overdue.

        The clock stops while the broker is blocked, and does not jump over a time in which this
        process itself was stopped.
        """
        now = self._loop.time()
        if not self.blocked:
            self._seconds += min(now - self._ticked_at, 2 * self._interval)
        self._ticked_at = now
        while self._written and self._written[0][0] < self._pending.oldest:
            self._written.popleft()
        waited = self._seconds - self._written[0][1] if self._written else 0.0
        self._report_late(waited)
        if waited > self._confirm_timeout:
            self._end(f"no confirm for {self._confirm_timeout:g} s")
            self._transport.abort()
            return
        self._tick = self._loop.call_later(self._interval, self._count_seconds)

    def _report_late(self, waited: float) -> None:
        """Log once that confirms are late, and once that they are not any more."""
        if self._late is (waited > LATE_SECONDS):
            return
        self._late = not self._late
        if self._late:
            log().warning("broker.confirms_late", in_flight=self.in_flight)
        else:
            log().info("broker.confirms_resumed", in_flight=self.in_flight)

    def _channel_closed(self, closing: "asyncio.Future[object]") -> None:
        error = None if closing.cancelled() else closing.exception()
        if error is None or isinstance(error, asyncio.CancelledError):
            self._end("the connection was lost", error)  # no heartbeat, or closed without a reason
        else:
            self._end(describe(error), error)

    def _end(self, reason: str, error: BaseException | None = None) -> None:
        if self._tick is not None:
            self._tick.cancel()
        self._unblocked.set()
        if not self._closed.done():
            ended = BrokerUnavailable(f"The connection to RabbitMQ ended: {reason}.")
            ended.__cause__ = error
            self._closed.set_result(ended)

    def _error(self) -> BrokerUnavailable:
        """The reason, as a new error to raise."""
        reason = self._closed.result()
        error = BrokerUnavailable(str(reason))
        error.__cause__ = reason.__cause__
        return error


def _pieces(messages: Sequence[OutgoingMessage]) -> Iterator[Sequence[OutgoingMessage]]:
    start = size = 0
    for index, message in enumerate(messages, 1):
        size += len(message.body)
        if size >= WRITE_BYTES:
            yield messages[start:index]
            start, size = index, 0
    if start < len(messages):
        yield messages[start:]


async def publish_confirmed(
    url: str, messages: Sequence[OutgoingMessage], *, confirm_timeout: float, name: str
) -> set[object]:
    """Publish messages through a connection of their own; return the tokens of the confirmed ones.

    Each token must be unique. Without messages it returns at once and does not connect. Raises
    BrokerUnavailable if the connection cannot be opened or ends before every message has a result.
    """
    if not messages:
        return set()
    outcomes: dict[object, ConfirmOutcome] = {}
    complete = asyncio.Event()

    def on_results(results: Sequence[ConfirmResult]) -> None:
        outcomes.update(results)
        if len(outcomes) == len(messages):
            complete.set()

    publisher = await ConfirmPublisher.open(
        url, on_results=on_results, confirm_timeout=confirm_timeout, name=name
    )
    try:
        await publisher.publish(messages)
        ended = asyncio.ensure_future(publisher.closed())
        completed = asyncio.ensure_future(complete.wait())
        try:
            await asyncio.wait({ended, completed}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            completed.cancel()
            ended.cancel()
        if not complete.is_set():
            raise await publisher.closed()
    finally:
        await publisher.close()
    return {token for token, outcome in outcomes.items() if outcome is ConfirmOutcome.CONFIRMED}
