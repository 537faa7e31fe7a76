"""The deliveries of one endpoint: which may be sent next, and what is settled in each shard."""

from collections import deque
from dataclasses import dataclass
from datetime import datetime

from gateway.delivery.store import Claim, NewDelivery
from gateway.journal import Cursor, Entry, Position


@dataclass(frozen=True, slots=True, eq=False)
class PendingDelivery:
    """A delivery to attempt. `attempt` counts from 1; one with a claim has a row and is locked.

    Its age counts from `since`. `ordering_key` is empty where the subscription is not ordered.
    """

    entry: Entry
    attempt: int
    ordering_key: str
    since: datetime
    claim: Claim | None = None

    @property
    def position(self) -> Position:
        """The position of its entry."""
        return Position(self.entry.shard, self.entry.sequence)

    @property
    def new(self) -> NewDelivery:
        """The same, to be stored."""
        entry = self.entry
        return NewDelivery(self.position, entry.recorded, entry.event.type, self.ordering_key)


class KeyedQueue:
    """A first-in first-out queue that gives out one delivery of each ordering key at a time."""

    def __init__(self) -> None:
        self._ready: deque[PendingDelivery] = deque()
        # By ordering key of a delivery that is ready or taken: those that must follow it.
        self._following: dict[str, deque[PendingDelivery]] = {}
        self._size = 0

    def __len__(self) -> int:
        """How many wait."""
        return self._size

    @property
    def ready(self) -> int:
        """How many of them can be taken now."""
        return len(self._ready)

    def put(self, delivery: PendingDelivery) -> None:
        """Add a delivery."""
        key = delivery.ordering_key
        self._size += 1
        if key and key in self._following:
            self._following[key].append(delivery)
            return
        if key:
            self._following[key] = deque()
        if delivery.claim:  # its lock is running
            self._ready.appendleft(delivery)
        else:
            self._ready.append(delivery)

    def take(self) -> PendingDelivery | None:
        """The next delivery, or None. Call `done` when it has ended."""
        if not self._ready:
            return None
        self._size -= 1
        return self._ready.popleft()

    def done(self, delivery: PendingDelivery) -> None:
        """A delivery has ended: the next one of its ordering key is ready."""
        key = delivery.ordering_key
        following = self._following.get(key) if key else None
        if following is None:
            return
        if following:
            self._ready.append(following.popleft())
        else:
            del self._following[key]

    def withdraw(self, ordering_key: str) -> list[PendingDelivery]:
        """Remove those without a claim that follow the present one of this ordering key."""
        following = self._following.get(ordering_key)
        if not ordering_key or not following:
            return []
        out = [each for each in following if each.claim is None]
        self._following[ordering_key] = deque(each for each in following if each.claim is not None)
        self._size -= len(out)
        return out


class ShardTracker:
    """The entries of one shard that were read and are not yet passed by the stored cursor."""

    def __init__(self, stored: Cursor) -> None:
        self.stored = stored  # the cursor in the database
        self.scanned = stored  # the journal was scanned up to here
        self._entries: deque[tuple[int, Cursor]] = deque()
        self._ended: dict[int, bool] = {}  # by sequence, whether it was delivered

    def begin(self, entry: Entry) -> None:
        """An entry was read and is to be delivered."""
        self._entries.append((entry.sequence, Cursor(entry.sequence, entry.recorded)))

    def end(self, sequence: int, *, delivered: bool) -> None:
        """It was delivered, or is stored as open or dead with the next write."""
        self._ended[sequence] = delivered

    @property
    def in_flight(self) -> int:
        """How many entries have not ended."""
        return len(self._entries) - len(self._ended)

    @property
    def has_ended(self) -> bool:
        """Whether any entry has ended since the last write."""
        return bool(self._ended)

    @property
    def is_busy(self) -> bool:
        """Whether there are entries that the stored cursor has not passed."""
        return bool(self._entries)

    def complete_up_to(self) -> Cursor:
        """The cursor up to which every entry has ended."""
        last = self.stored
        for sequence, cursor in self._entries:
            if sequence not in self._ended:
                return last
            last = cursor
        return self.scanned

    def delivered_up_to(self, cursor: Cursor) -> list[int]:
        """The sequences up to this cursor that were delivered."""
        return [s for s, _ in self._entries if s <= cursor.sequence and self._ended.get(s)]

    def advance(self, cursor: Cursor) -> None:
        """The database has this cursor now: forget what is before it."""
        self.stored = cursor
        while self._entries and self._entries[0][0] <= cursor.sequence:
            sequence, _ = self._entries.popleft()
            self._ended.pop(sequence, None)
