"""What is on its way to one endpoint: who may go next, and up to where everything is settled."""

from collections import deque
from dataclasses import dataclass
from datetime import datetime

from gateway.delivery.store import Claim, NewDelivery
from gateway.journal import Cursor, Entry, Position


@dataclass(frozen=True, slots=True, eq=False)
class PendingDelivery:
    """One delivery to make. `attempt` counts from 1; with a claim it is one that was open.

    Its age counts from `since`.
    """

    entry: Entry
    attempt: int
    order: str
    since: datetime
    claim: Claim | None = None

    @property
    def position(self) -> Position:
        """Where the entry stands."""
        return Position(self.entry.shard, self.entry.sequence)

    @property
    def fresh(self) -> NewDelivery:
        """As the table of open deliveries wants it."""
        return NewDelivery(self.position, self.entry.recorded, self.entry.event.type, self.order)


class KeyedQueue:
    """Hands out jobs first come, first served, but of one ordering key one at a time."""

    def __init__(self) -> None:
        self._ready: deque[PendingDelivery] = deque()
        self._behind: dict[
            str, deque[PendingDelivery]
        ] = {}  # behind the one of their key that is handed out
        self._size = 0

    def __len__(self) -> int:
        """How many wait."""
        return self._size

    @property
    def ready(self) -> int:
        """How many of them could go at once."""
        return len(self._ready)

    def put(self, job: PendingDelivery) -> None:
        """One more waits."""
        self._size += 1
        if job.order and job.order in self._behind:
            self._behind[job.order].append(job)
            return
        if job.order:
            self._behind[job.order] = deque()
        if job.claim:  # its lock runs
            self._ready.appendleft(job)
        else:
            self._ready.append(job)

    def take(self) -> PendingDelivery | None:
        """The next one, or None. Give it back by `done`."""
        if not self._ready:
            return None
        self._size -= 1
        return self._ready.popleft()

    def done(self, job: PendingDelivery) -> None:
        """It has ended: the next of its key may go."""
        behind = self._behind.get(job.order) if job.order else None
        if behind is None:
            return
        if behind:
            self._ready.append(behind.popleft())
        else:
            del self._behind[job.order]

    def withdraw(self, order: str) -> list[PendingDelivery]:
        """Take out those of a key that come from the journal and wait behind the one under way."""
        behind = self._behind.get(order)
        if not order or not behind:
            return []
        out = [job for job in behind if job.claim is None]
        self._behind[order] = deque(job for job in behind if job.claim is not None)
        self._size -= len(out)
        return out


class ShardTracker:
    """One shard of one subscription: what was read and is not settled yet, in order."""

    def __init__(self, written: Cursor) -> None:
        self.written = written  # as it stands in the database
        self.looked = written  # up to here the journal was looked through
        self._waiting: deque[tuple[int, Cursor]] = deque()
        self._ended: dict[int, bool] = {}  # sequence, and whether it was delivered

    def began(self, entry: Entry) -> None:
        """An entry was read and is to be delivered."""
        self._waiting.append((entry.sequence, Cursor(entry.sequence, entry.recorded)))

    def ended(self, sequence: int, *, delivered: bool) -> None:
        """It was delivered, or it is written down as open or dead from now on."""
        self._ended[sequence] = delivered

    @property
    def going_on(self) -> int:
        """How many were read and have not ended."""
        return len(self._waiting) - len(self._ended)

    @property
    def unwritten(self) -> bool:
        """Whether anything has ended that is not written."""
        return bool(self._ended)

    def reached(self) -> Cursor:
        """Up to where nothing is missing."""
        last = self.written
        for sequence, place in self._waiting:
            if sequence not in self._ended:
                return last
            last = place
        return self.looked

    def delivered_to(self, reached: Cursor) -> list[int]:
        """What was delivered up to there."""
        return [s for s, _ in self._waiting if s <= reached.sequence and self._ended.get(s)]

    def wrote(self, reached: Cursor) -> None:
        """The database knows it up to there: forget it."""
        self.written = reached
        while self._waiting and self._waiting[0][0] <= reached.sequence:
            sequence, _ = self._waiting.popleft()
            self._ended.pop(sequence, None)
