"""How much may be in progress at once, shared between keys so that none starves another.

A key is whoever the work is done for, such as an organisation. Nothing waits here: what does not
fit is refused at once, which costs next to nothing.
"""

from collections.abc import Hashable

OVERDRAFT = 2  # times the limit: how many keys may have something in progress


class FairLimit:
    """Places for work in progress; `limit` may change at any time.

    - While places are free, anybody takes them.
    - Once they are taken, a key enters only within an equal share of them. What it has lent to
      others it gets back at once; the sum exceeds the limit until the others are back at theirs.
    - A key with nothing in progress enters whatever it needs, unless there are too many keys. What
      one key takes, or has taken before the limit became lower, keeps no other out.
    """

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self.taken = 0
        """Places taken by all keys."""
        self._held: dict[Hashable, int] = {}

    def held(self, key: Hashable) -> int:
        """Places that a key has taken."""
        return self._held.get(key, 0)

    def take(self, key: Hashable, places: int) -> bool:
        """Take places. False where the key has to come back later."""
        held = self._held.get(key, 0)
        if self.taken + places > self.limit and not self._within_share(held, places):
            return False
        self._held[key] = held + places
        self.taken += places
        return True

    def give_back(self, key: Hashable, places: int) -> None:
        """Give back what was taken."""
        held = self._held[key] - places
        if held:
            self._held[key] = held
        else:
            del self._held[key]
        self.taken -= places

    def exceeds_share(self, key: Hashable, places: int) -> bool:
        """Whether the key itself has too much in progress, rather than all keys together."""
        held = self._held.get(key, 0)
        return held > 0 and held + places > self.limit / len(self._held)

    def _within_share(self, held: int, places: int) -> bool:
        if not held:
            return len(self._held) < OVERDRAFT * self.limit
        return held + places <= self.limit / len(self._held)
