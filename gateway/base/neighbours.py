"""Whether one key has a resource for itself, or shares it with others."""

import time
from collections.abc import Callable, Hashable

SECONDS = 1.0  # a key that was not seen for so long is not there


class Neighbours:
    """Sees the keys that use something, at the cost of one comparison each."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last: Hashable | None = None
        self._until = float("-inf")

    def saw(self, key: Hashable) -> None:
        """The key uses it now."""
        if key != self._last:
            if self._last is not None:
                self.share()
            self._last = key

    def share(self) -> None:
        """Others use it now, as somebody else has noticed."""
        self._until = self._clock() + SECONDS

    @property
    def several(self) -> bool:
        """Whether more than one key was seen within the last second."""
        return self._clock() < self._until
