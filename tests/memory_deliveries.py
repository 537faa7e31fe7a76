"""A fake of Deliveries for unit tests. `tests/contract/test_deliveries.py` proves it."""

from collections import Counter
from collections.abc import Sequence

from gateway.base.database import DatabaseUnavailable
from gateway.delivery.store import Key


class MemoryDeliveries:
    """What wake-ups read of deliveries. `unavailable` and `queries`: see MemoryJournal."""

    def __init__(self) -> None:
        self.due_now: set[Key] = set()
        self.cursors: dict[Key, int] = {}
        """For each subscription that was begun, the sum of its cursors."""
        self.unavailable = False
        self.queries: Counter[str] = Counter()

    async def due(self, keys: Sequence[Key]) -> set[Key]:
        """See Deliveries."""
        self._query("due")
        return self.due_now & set(keys)

    async def summed_cursors(self, keys: Sequence[Key]) -> dict[Key, int]:
        """See Deliveries."""
        self._query("cursors")
        return {key: self.cursors[key] for key in keys if key in self.cursors}

    def _query(self, name: str) -> None:
        self.queries[name] += 1
        if self.unavailable:
            raise DatabaseUnavailable("The database does not answer.")
