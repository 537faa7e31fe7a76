"""The entries between a shard's cursor and the newest entry read. Pure bookkeeping, no I/O.

Two rules keep the promise. The cursor is the highest sequence up to which every entry is settled.
And each ordering key has at most one message on its way: a message that is refused and sent again
could otherwise arrive after its successor.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta

from gateway.base.backoff import Backoff
from gateway.base.errors import BrokerUnavailable
from gateway.broker import ConfirmOutcome, ConfirmResult, OutgoingMessage
from gateway.journal import Cursor

RESEND = Backoff(0.1, 5.0)  # seconds until a refused message is sent again
ATTEMPTS = 16  # after so many refusals, about a minute, a message needs a new channel


class InFlight:
    """One entry on its way through the window; the token of its message.

    `cursor` is the shard's cursor once everything up to this entry is settled. A request has a
    `deadline`, after which it is not sent.
    """

    __slots__ = (
        "attempts",
        "cursor",
        "deadline",
        "message",
        "ordering_key",
        "sent",
        "sent_at",
        "settled",
        "window",
    )

    def __init__(self, window: "InFlightWindow", cursor: Cursor, ordering_key: str) -> None:
        self.window = window
        self.cursor = cursor
        self.ordering_key = ordering_key
        self.message: OutgoingMessage | None = None
        self.deadline: datetime | None = None
        self.attempts = 0
        self.sent = False  # and neither confirmed nor refused
        self.sent_at = 0.0  # by the monotonic clock
        self.settled = False


class InFlightWindow:
    """The entries of one shard that are read and not yet settled."""

    def __init__(self, cursor: Cursor, *, entries: int, size: int) -> None:
        """Hold at most `entries` entries, or `size` bytes of message bodies."""
        self.cursor = cursor
        self.changed = asyncio.Event()
        self.returned: list[InFlight] = []
        self.unsendable: list[InFlight] = []
        self._needs_new_channel: str | None = None  # and why
        self.refused_count = 0
        self.sent_count = 0
        self._entries = entries
        self._size = size
        self._bytes = 0
        self._order: deque[InFlight] = deque()
        self._ready: deque[InFlight] = deque()
        # By ordering key, while one of its messages is on its way: those that wait for it.
        self._waiting: dict[str, deque[InFlight] | None] = {}

    def __len__(self) -> int:
        return len(self._order)

    @property
    def free(self) -> int:
        """How many more entries may be read now."""
        if self._bytes >= self._size:
            return 0
        return max(0, self._entries - len(self._order))

    @property
    def ready(self) -> int:
        """How many messages may be sent now, at most: some may be past their deadlines."""
        return len(self._ready)

    def add(self, entry: InFlight) -> None:
        """Add the next entry in order, with its message."""
        assert entry.message is not None  # noqa: S101 - an entry without a message is skipped
        self._order.append(entry)
        self._bytes += len(entry.message.body)
        waiting = self._waiting.get(entry.ordering_key, _FREE)
        if waiting is _FREE:
            self._waiting[entry.ordering_key] = None
            self._ready.append(entry)
        elif waiting is None:
            self._waiting[entry.ordering_key] = deque((entry,))
        else:
            waiting.append(entry)

    def skip(self, cursor: Cursor) -> None:
        """Add the next entry in order, which no queue gets."""
        if not self._order:
            self.cursor = cursor
            return
        entry = InFlight(self, cursor, "")
        entry.settled = True
        self._order.append(entry)

    def hold(self, entry: InFlight) -> None:
        """Add the next entry in order, of which no message can be made, until it is settled."""
        entry.ordering_key = f"\0{entry.cursor.sequence}"  # of its own: nothing waits for it
        self._waiting[entry.ordering_key] = None
        self._order.append(entry)

    def take_ready(self, limit: int) -> list[OutgoingMessage]:
        """Take at most `limit` of the messages that may be sent now.

        Raises BrokerUnavailable when one was refused for about a minute: RabbitMQ 3.10 goes on
        refusing on a channel after a length limit is lifted, but accepts on a new one. The same
        after `queue_lost`.
        """
        if self._needs_new_channel:
            raise BrokerUnavailable(
                f"{self._needs_new_channel} The relay tries again on a new channel."
            )
        now, sent_at = datetime.now(UTC), time.monotonic()
        ready, messages = self._ready, list[OutgoingMessage]()
        while ready and len(messages) < limit:
            entry = ready.popleft()
            if entry.message is None:
                continue
            message = _before_deadline(entry.message, entry.deadline, now)
            if message is None:
                self._settle(entry)  # the next of its key is ready now
            else:
                entry.sent, entry.sent_at = True, sent_at
                messages.append(message)
        self.sent_count += len(messages)
        return messages

    def apply(self, entry: InFlight, outcome: ConfirmOutcome) -> None:
        """Record the broker's answer. What is returned or unsendable waits for `settle`."""
        if outcome is ConfirmOutcome.CONFIRMED:
            self._settle(entry)
        elif outcome is ConfirmOutcome.RETURNED:
            self.returned.append(entry)
        elif outcome is ConfirmOutcome.UNSENDABLE:
            self.unsendable.append(entry)
        else:
            self.refused_count += 1
            entry.attempts += 1
            if entry.attempts >= ATTEMPTS:
                self._needs_new_channel = "A queue refused a message for a minute."
            entry.sent = False
            delay = RESEND.delay(entry.attempts)
            asyncio.get_running_loop().call_later(delay, self.resend, entry)
        self.changed.set()

    def resend(self, entry: InFlight) -> None:
        """Make a refused message ready again; later messages of its key have waited."""
        if entry.message is None:
            self._settle(entry)
        else:
            self._ready.append(entry)
        self.changed.set()

    def reroute(self, reroute: Callable[[OutgoingMessage], OutgoingMessage | None]) -> None:
        """Replace each message that is not sent yet; drop it where `reroute` returns None.

        A message made for earlier routes must not reach a queue that has meanwhile missed an event
        of the same key.
        """
        for entry in self._order:
            if entry.message is None or entry.sent:
                continue
            rerouted = reroute(entry.message)
            if rerouted is None:
                self._bytes -= len(entry.message.body)
            entry.message = rerouted
        dropped = [entry for entry in self._ready if entry.message is None]
        self._ready = deque(entry for entry in self._ready if entry.message is not None)
        for entry in dropped:
            self._settle(entry)

    def queue_lost(self) -> None:
        """A queue that messages were sent to cannot confirm them any more: send them again."""
        if any(entry.sent and not entry.settled for entry in self._order):
            self._needs_new_channel = "A queue is unavailable."
            self.changed.set()

    def settle(self, entries: Iterable[InFlight]) -> None:
        """Settle entries that no queue holds, once a backfill or a dead letter is recorded."""
        for entry in entries:
            self._settle(entry)
        self.changed.set()

    def _settle(self, entry: InFlight) -> None:
        """Settle an entry, and those that waited for it and were dropped meanwhile."""
        if entry.message is not None:
            self._bytes -= len(entry.message.body)
            entry.message = None
        entry.settled = True
        while (following := self._next_of_key(entry)) is not None and following.message is None:
            following.settled = True
        if following is not None:
            self._ready.append(following)
        order = self._order
        while order and order[0].settled:
            self.cursor = order.popleft().cursor

    def _next_of_key(self, entry: InFlight) -> InFlight | None:
        """Take the next entry with the same ordering key out of those that wait."""
        waiting = self._waiting[entry.ordering_key]
        if waiting is None:
            del self._waiting[entry.ordering_key]
            return None
        following = waiting.popleft()
        if not waiting:
            self._waiting[entry.ordering_key] = None
        return following


def _before_deadline(
    message: OutgoingMessage, deadline: datetime | None, now: datetime
) -> OutgoingMessage | None:
    """The message, to expire in its queue at the deadline; None after the deadline.

    It may have waited here for others of its key, or for a queue that refused it. An earlier
    expiration of its own stays.
    """
    if deadline is None:
        return message
    left = (deadline - now) // timedelta(milliseconds=1)
    if message.expiration:
        left = min(left, int(message.expiration))
    return message._replace(expiration=str(left)) if left > 0 else None


_FREE: deque[InFlight] = deque()


def apply_results(results: Sequence[ConfirmResult]) -> None:
    """Hand each result of a publisher to the window that sent the message."""
    for token, outcome in results:
        assert isinstance(token, InFlight)  # noqa: S101 - the relay sends no other tokens
        token.window.apply(token, outcome)
