"""A queue that is fair between flows: deficit round robin with new flows first.

This is the scheduler of FQ-CoDel (RFC 8290, section 4.2), with the cost of an item for the bytes of
a packet, and without CoDel.
"""

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(slots=True)
class _Flow(Generic[T]):
    key: Hashable
    left: int  # of the quantum; below 0 after an item that cost more
    items: deque[tuple[T, int]] = field(default_factory=deque)


class FairQueue(Generic[T]):
    """Items of several flows, each item with a cost.

    Flows take turns, and each may spend the `quantum` in its turn. A flow that had nothing waiting
    has the next turn: a flow that sends little never waits for one that sends much.
    """

    def __init__(self, quantum: int) -> None:
        self._quantum = quantum
        self._flows: dict[Hashable, _Flow[T]] = {}
        self._new: deque[_Flow[T]] = deque()
        self._old: deque[_Flow[T]] = deque()
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def push(self, key: Hashable, item: T, cost: int) -> None:
        """Add an item at the end of its flow."""
        flow = self._flows.get(key)
        if flow is None:
            flow = self._flows[key] = _Flow(key, self._quantum)
            self._new.append(flow)
        flow.items.append((item, cost))
        self._length += 1

    def peek(self) -> T:
        """The next item. Raises IndexError when the queue is empty."""
        return self._turn().items[0][0]

    def pop(self) -> T:
        """Take the next item. Raises IndexError when the queue is empty."""
        flow = self._turn()
        item, cost = flow.items.popleft()
        flow.left -= cost
        self._length -= 1
        return item

    def _turn(self) -> _Flow[T]:
        """The flow whose turn it is; it has something waiting.

        A flow that became empty waits for its turn among the old ones before it is forgotten, so
        that one which always has a single item waiting is not new each time.
        """
        while True:
            flows = self._new or self._old
            flow = flows[0]
            if not flow.items:
                flows.popleft()
                if flows is self._new and self._old:
                    self._old.append(flow)
                else:
                    del self._flows[flow.key]
            elif flow.left > 0:
                return flow
            else:
                flow.left += self._quantum
                self._old.append(flows.popleft())
