"""What is between the cursor and the newest entry read: pure bookkeeping, no input or output.

Two rules keep the promise. The cursor stands at the highest number below which everything is
settled. And of each ordering key one message at most is on its way: a message that the broker
refuses and that is sent again could otherwise arrive behind its successor.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from gateway.base.errors import BrokerUnavailable
from gateway.broker import ConfirmOutcome, OutgoingMessage
from gateway.journal import Cursor

RESEND_DELAY = 0.05  # seconds until a refused message is tried again; doubles up to the limit
RESEND_LIMIT = 5.0
ATTEMPTS = 16  # refused as often as this, for about a minute, a message needs a new channel


class InFlight:
    """One entry's way through the window; the token of its message.

    `until` is when it must be sent, if it is a request: its deadline.
    """

    __slots__ = (
        "attempts",
        "key",
        "message",
        "position",
        "settled",
        "under_way",
        "until",
        "window",
    )

    def __init__(self, window: "InFlightWindow", position: Cursor, key: str) -> None:
        self.window = window
        self.position = position
        self.key = key
        self.message: OutgoingMessage | None = None
        self.until: datetime | None = None
        self.attempts = 0
        self.under_way = False  # sent, and the broker has not answered for good
        self.settled = False


class InFlightWindow:
    """The entries of one shard that are read and not yet settled."""

    def __init__(self, cursor: Cursor, *, entries: int, size: int) -> None:
        """At most `entries` of them, or `size` bytes of bodies."""
        self.cursor = cursor
        self.changed = asyncio.Event()
        self.returned: list[InFlight] = []
        self._refused_for_long = False
        self.nacked = 0
        self.sent = 0
        self._entries = entries
        self._size = size
        self._bytes = 0
        self._order: deque[InFlight] = deque()
        self._ready: list[InFlight] = []
        self._chains: dict[str, deque[InFlight] | None] = {}

    def __len__(self) -> int:
        return len(self._order)

    @property
    def room(self) -> int:
        """How many more entries may be read now."""
        if self._bytes >= self._size:
            return 0
        return max(0, self._entries - len(self._order))

    def add(self, ticket: InFlight) -> None:
        """Take in the next entry in order, with its message."""
        assert ticket.message is not None  # noqa: S101 - what is without one is skipped
        self._order.append(ticket)
        self._bytes += len(ticket.message.body)
        chain = self._chains.get(ticket.key, _FREE)
        if chain is _FREE:
            self._chains[ticket.key] = None
            self._ready.append(ticket)
        elif chain is None:
            self._chains[ticket.key] = deque((ticket,))
        else:
            chain.append(ticket)

    def skip(self, position: Cursor) -> None:
        """Take in the next entry in order, which nobody is to get."""
        if not self._order:
            self.cursor = position
            return
        ticket = InFlight(self, position, "")
        ticket.settled = True
        self._order.append(ticket)

    def take(self) -> list[OutgoingMessage]:
        """The messages that may be sent now.

        Raises BrokerUnavailable where one was refused for about a minute: RabbitMQ 3.10 goes on
        refusing on a channel after a length limit is lifted, but lets a new one in.
        """
        if self._refused_for_long:
            raise BrokerUnavailable("a queue has refused for long: a new channel tries again")
        now = datetime.now(UTC)
        messages = []
        while self._ready:
            ready, self._ready = self._ready, []
            for ticket in ready:
                if ticket.message is None:
                    continue
                message = _in_time(ticket.message, ticket.until, now)
                if message is None:
                    self._done(ticket)  # what it held up is ready now
                else:
                    ticket.under_way = True
                    messages.append(message)
        self.sent += len(messages)
        return messages

    def settle(self, ticket: InFlight, outcome: ConfirmOutcome) -> None:
        """Note what the broker answered. A returned message waits for `forgive`."""
        if outcome is ConfirmOutcome.CONFIRMED:
            self._done(ticket)
        elif outcome is ConfirmOutcome.RETURNED:
            self.returned.append(ticket)
        else:
            self.nacked += 1
            ticket.attempts += 1
            self._refused_for_long |= ticket.attempts >= ATTEMPTS
            ticket.under_way = False
            delay = min(RESEND_DELAY * 2 ** min(ticket.attempts, 10), RESEND_LIMIT)
            asyncio.get_running_loop().call_later(delay, self.resend, ticket)
        self.changed.set()

    def resend(self, ticket: InFlight) -> None:
        """Make a refused message ready again; what comes after it has waited."""
        if ticket.message is None:
            self._done(ticket)
        else:
            self._ready.append(ticket)
        self.changed.set()

    def reroute(self, renew: Callable[[OutgoingMessage], OutgoingMessage | None]) -> None:
        """Change each message that was not sent yet; settle those that nobody is to get any more.

        What was made for earlier routes must not reach a queue that has missed something of the
        same key meanwhile.
        """
        for ticket in self._order:
            if ticket.message is None or ticket.under_way:
                continue
            renewed = renew(ticket.message)
            if renewed is None:
                self._bytes -= len(ticket.message.body)
            ticket.message = renewed
        dropped = [ticket for ticket in self._ready if ticket.message is None]
        self._ready = [ticket for ticket in self._ready if ticket.message is not None]
        for ticket in dropped:
            self._done(ticket)

    def forgive(self, tickets: list[InFlight]) -> None:
        """Settle messages that came back, once their subscriptions are sure to catch up."""
        for ticket in tickets:
            self._done(ticket)
        self.changed.set()

    def _done(self, ticket: InFlight) -> None:
        """Settle a message, and those behind it in its chain that nobody is to get any more."""
        if ticket.message is not None:
            self._bytes -= len(ticket.message.body)
            ticket.message = None
        ticket.settled = True
        while (following := self._behind(ticket)) is not None and following.message is None:
            following.settled = True
        if following is not None:
            self._ready.append(following)
        order = self._order
        while order and order[0].settled:
            self.cursor = order.popleft().position

    def _behind(self, ticket: InFlight) -> InFlight | None:
        """Take the next message of the same key out of its chain."""
        chain = self._chains[ticket.key]
        if chain is None:
            del self._chains[ticket.key]
            return None
        following = chain.popleft()
        if not chain:
            self._chains[ticket.key] = None
        return following


def _in_time(
    message: OutgoingMessage, until: datetime | None, now: datetime
) -> OutgoingMessage | None:
    """The message, which lives in a queue as long as is left; None after the deadline.

    It may have waited here for others of its key, or for a queue that refused it; and it may have
    an end that comes first.
    """
    if until is None:
        return message
    left = (until - now) // timedelta(milliseconds=1)
    if message.expiration:
        left = min(left, int(message.expiration))
    return message._replace(expiration=str(left)) if left > 0 else None


_FREE: deque[InFlight] = deque()


def settle(burst: Sequence[tuple[object, ConfirmOutcome]]) -> None:
    """What a lane calls: hand each outcome to the window that sent the message."""
    for token, outcome in burst:
        assert isinstance(token, InFlight)  # noqa: S101 - only tickets are sent
        token.window.settle(token, outcome)
