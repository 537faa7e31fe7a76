"""The publishes of a channel that the broker has not confirmed yet.

The broker numbers the publishes of a channel 1, 2, 3... and settles each with an ack or a nack,
one alone or all up to a number. It returns a mandatory message that reaches no queue
(`basic.return`) before its ack.
"""

from collections.abc import Mapping, Sequence
from enum import Enum, auto

from gateway.broker.message import OutgoingMessage


class ConfirmOutcome(Enum):
    """The broker's answer to a publish."""

    CONFIRMED = auto()
    """Every queue to which it was routed holds it durably."""
    NACKED = auto()
    """A queue refused it; others may hold it. Publish it again."""
    RETURNED = auto()
    """It was mandatory and no queue is bound for it: no queue holds it."""
    UNSENDABLE = auto()
    """It could not be made into frames, and was not sent: a defect."""


ConfirmResult = tuple[object, ConfirmOutcome]
"""A message's token and its outcome."""


class PendingConfirms:
    """The publishes of one channel. Pure bookkeeping, no I/O."""

    def __init__(self) -> None:
        self._pending: dict[int, OutgoingMessage] = {}
        self._low = 1  # every tag below is settled
        self._next = 1
        self._returned: set[int] = set()
        self._return_from = 1  # returns come in the order of their publishes

    def __len__(self) -> int:
        return len(self._pending)

    @property
    def oldest(self) -> int:
        """The lowest unconfirmed tag; the next one to be given where nothing is pending."""
        return self._low

    @property
    def newest(self) -> int:
        """The tag given last, 0 before the first."""
        return self._next - 1

    def add(self, messages: Sequence[OutgoingMessage]) -> None:
        """Number messages in the order in which they are written."""
        first = self._next
        self._next += len(messages)
        self._pending.update(zip(range(first, self._next), messages, strict=True))

    def settle(self, tag: int, multiple: bool, acked: bool, into: list[ConfirmResult]) -> None:
        """Append the results of one ack or nack, in order. Tag 0 with `multiple` means all.

        A tag that is settled already settles nothing.
        """
        outcome = ConfirmOutcome.CONFIRMED if acked else ConfirmOutcome.NACKED
        if multiple:
            last = min(tag, self._next - 1) if tag else self._next - 1
            for each in range(self._low, last + 1):
                self._take(each, outcome, into)
            self._low = max(self._low, last + 1)
        else:
            self._take(tag, outcome, into)
        while self._low < self._next and self._low not in self._pending:
            self._low += 1

    def _take(self, tag: int, outcome: ConfirmOutcome, into: list[ConfirmResult]) -> None:
        message = self._pending.pop(tag, None)
        if message is None:
            return
        if self._returned and tag in self._returned:
            self._returned.discard(tag)
            if outcome is ConfirmOutcome.CONFIRMED:
                outcome = ConfirmOutcome.RETURNED
        into.append((message.token, outcome))

    def mark_returned(
        self, exchange: str, key: str, message_id: str, headers: Mapping[str, object]
    ) -> bool:
        """Mark the publish that was returned. False if none matches: do not trust the channel then.

        A return carries no tag. It belongs to the oldest unconfirmed message, after the one that
        was returned last, with the same address, id and headers; two messages that agree in all of
        these carry the same event to the same queue.
        """
        for tag in range(max(self._return_from, self._low), self._next):
            message = self._pending.get(tag)
            if (
                message is not None
                and message.mandatory
                and message.routing_key == key
                and message.exchange == exchange
                and message.message_id == message_id
                and all(headers.get(name) == text for name, text in message.headers.items())
            ):
                self._returned.add(tag)
                self._return_from = tag + 1
                return True
        return False
