"""The batch lane: many messages in one write, confirms by watermark.

aiormq keeps a future, a lock and two queue hops for each publish, which makes 5,000 to 8,000 a
second. The lane marshals a batch into one buffer and reads the confirms straight off the stream,
while connecting, TLS, login, heartbeats and closing stay with aiormq. One lane is one connection:
when it dies it stays dead, the sender opens another and sends again what was not settled.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Sequence

from aiormq.connection import Connection

from gateway.base.errors import BrokerUnavailable
from gateway.broker.address import with_heartbeat
from gateway.broker.frames import Marshaller
from gateway.broker.message import OutgoingMessage
from gateway.broker.outage import OUTAGES, describe, within
from gateway.broker.pending_confirms import ConfirmOutcome, PendingConfirms, Settled
from gateway.broker.transport_tap import Listener, TappedTransport

__all__ = ["ConfirmOutcome", "ConfirmPublisher", "Settle", "publish_confirmed"]

Settle = Callable[[Sequence[Settled]], None]
"""Told, in the event loop, of all that one burst of frames settled, in that order."""

CONNECT_SECONDS = 10.0
CLOSE_SECONDS = 2.0
WRITE_BYTES = 1 << 20
"""A batch above this is written in pieces, so that large bodies are not all in memory twice."""


class ConfirmPublisher:
    """A publishing channel with a connection of its own."""

    def __init__(self, settle: Settle, confirm_timeout: float) -> None:
        self._free = asyncio.Event()
        self._free.set()
        self._settle = settle
        self._ledger = PendingConfirms()
        self._loop = asyncio.get_running_loop()
        self._gone: asyncio.Future[BrokerUnavailable] = self._loop.create_future()
        self._transport = TappedTransport(
            Listener(self._ledger, self._tell, self._block, self._die)
        )
        self._connection: Connection | None = None

        self._confirm_timeout = confirm_timeout
        self._interval = min(1.0, confirm_timeout / 4)
        self._seconds = 0.0  # in which a confirm could have come
        self._written: deque[tuple[int, float]] = deque()  # last tag of a write, self._seconds then
        self._tick: asyncio.TimerHandle | None = None

    @classmethod
    async def open(
        cls, url: str, *, settle: Settle, confirm_timeout: float, name: str
    ) -> "ConfirmPublisher":
        """Connect. `name` is what operators see; `confirm_timeout` is in seconds.

        Raises BrokerUnavailable where that takes longer than CONNECT_SECONDS.
        """
        lane = cls(settle, confirm_timeout)
        try:
            async with within(CONNECT_SECONDS, "connecting to RabbitMQ"):
                await lane._connect(url, name)
        except BaseException:
            await lane.close()
            raise
        return lane

    async def _connect(self, url: str, name: str) -> None:
        self._connection = connection = Connection(
            with_heartbeat(url),
            transport_factory=self._transport,
            client_properties={"connection_name": name},
        )
        await connection.connect()
        channel = await connection.channel(publisher_confirms=True)
        self._transport.tap.channel = channel.number
        self._marshaller = Marshaller(channel.number, connection.connection_tune.frame_max or 0)
        channel.closing.add_done_callback(self._channel_closed)  # or the connection
        self._ticked_at = self._loop.time()
        self._tick = self._loop.call_later(self._interval, self._count_seconds)

    @property
    def in_flight(self) -> int:
        """Messages written and not settled yet."""
        return len(self._ledger)

    @property
    def blocked(self) -> bool:
        """Whether the broker does not read (an alarm): what is sent waits, nothing is lost."""
        return not self._free.is_set()

    async def free(self) -> None:
        """Wait until the broker reads, or the lane is dead. What has an end is best sent then."""
        await self._free.wait()

    async def send(self, messages: Sequence[OutgoingMessage]) -> None:
        """Write messages in order, all at once; return when the connection can take more.

        Their tokens come back through `settle`, perhaps before this returns. Raises
        BrokerUnavailable when the lane is dead or dies: what was not settled may or may not
        have arrived. Raises ValueError, with nothing of the piece sent, for a message that
        fits no frame.
        """
        for piece in _pieces(messages):
            if self._gone.done():
                raise self._ended()
            data = self._marshaller.marshal(piece)
            self._ledger.add(piece)
            self._written.append((self._ledger.newest, self._seconds))
            writer = self._transport.writer
            try:
                writer.write(data)  # uvloop raises RuntimeError where the transport is closed
                await writer.drain()
            except OUTAGES as error:
                self._die(f"the connection broke: {describe(error)}", error)
            if writer.is_closing():  # a drain also returns when the connection is gone
                self._die("the connection was lost")
                raise self._ended()

    async def closed(self) -> BrokerUnavailable:
        """Wait until the lane is dead, for whatever reason, and return the reason."""
        return await asyncio.shield(self._gone)

    async def close(self) -> None:
        """End the lane in at most twice CLOSE_SECONDS, whatever the broker does.

        What is in flight is not settled any more.
        """
        self._die("it was closed")
        if self._connection is None:
            return
        closing = asyncio.ensure_future(self._connection.close())
        try:
            await asyncio.wait({closing}, timeout=CLOSE_SECONDS)
        finally:
            self._transport.abort()
        await asyncio.wait({closing}, timeout=CLOSE_SECONDS)

    def _tell(self, burst: list[Settled]) -> None:
        if self._gone.done():
            return
        try:
            self._settle(burst)
        except Exception as error:
            self._die(f"the sender could not settle: {describe(error)}", error)

    def _block(self, state: bool) -> None:
        if state:
            self._free.clear()
        else:
            self._free.set()

    def _count_seconds(self) -> None:
        """Advance the clock of the confirm timeout, and give up on a confirm that is overdue.

        The clock stands still while the broker is blocked, and does not jump over a time in
        which this process itself was stopped.
        """
        now = self._loop.time()
        if not self.blocked:
            self._seconds += min(now - self._ticked_at, 2 * self._interval)
        self._ticked_at = now
        while self._written and self._written[0][0] < self._ledger.oldest:
            self._written.popleft()
        if self._written and self._seconds - self._written[0][1] > self._confirm_timeout:
            self._die(f"no confirm for {self._confirm_timeout:g} s")
            self._transport.abort()
            return
        self._tick = self._loop.call_later(self._interval, self._count_seconds)

    def _channel_closed(self, closing: "asyncio.Future[object]") -> None:
        error = None if closing.cancelled() else closing.exception()
        if error is None or isinstance(error, asyncio.CancelledError):
            self._die("the connection was lost", error)  # silence, or an end without a word
        else:
            self._die(describe(error), error)

    def _die(self, reason: str, error: BaseException | None = None) -> None:
        if self._tick is not None:
            self._tick.cancel()
        self._free.set()
        if not self._gone.done():
            gone = BrokerUnavailable(f"the lane to RabbitMQ ended: {reason}")
            gone.__cause__ = error
            self._gone.set_result(gone)

    def _ended(self) -> BrokerUnavailable:
        """The reason as an error of its own, to be raised."""
        reason = self._gone.result()
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
    """Send messages over a lane of their own; the tokens of those that the broker confirmed.

    Raises BrokerUnavailable where the lane cannot be opened or dies first.
    """
    outcomes: dict[object, ConfirmOutcome] = {}
    done = asyncio.Event()

    def settle(burst: Sequence[Settled]) -> None:
        outcomes.update(burst)
        if len(outcomes) == len(messages):
            done.set()

    lane = await ConfirmPublisher.open(
        url, settle=settle, confirm_timeout=confirm_timeout, name=name
    )
    try:
        await lane.send(messages)
        ended = asyncio.ensure_future(lane.closed())
        settled = asyncio.ensure_future(done.wait())
        try:
            await asyncio.wait({ended, settled}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            settled.cancel()
            ended.cancel()
        if not done.is_set():
            raise await lane.closed()
    finally:
        await lane.close()
    return {token for token, outcome in outcomes.items() if outcome is ConfirmOutcome.CONFIRMED}
