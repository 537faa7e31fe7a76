"""Which types the newest entries of the journal have, so that most scans need no query.

A thousand subscriptions that wait would each read every new entry of the journal, to find that it
is of no type of theirs. The process reads the types of new entries once for all of them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from gateway.journal import Cursor
from gateway.subscriptions import Subscription

MATCHES = 50_000  # results of type matching kept at most


@dataclass(slots=True)
class _Shard:
    """The types of all entries above `start` and up to `end`."""

    start: int
    end: Cursor
    last: dict[str, int] = field(default_factory=dict)
    """By type, a sequence above which there is no entry of it up to `end`."""


class RecentTypes:
    """The types of the newest entries of each shard, up to the head at the last `extend`."""

    def __init__(self) -> None:
        self._types: frozenset[str] | None = None
        self._shards: dict[int, _Shard] = {}
        self._matches: dict[tuple[tuple[str, ...], str], bool] = {}

    def begin(self, types: frozenset[str]) -> None:
        """Know nothing, and from now on these types or patterns alone, instead of all."""
        self._types = types
        self._shards.clear()

    def covers(self, types: Iterable[str]) -> bool:
        """Whether all entries of these types are known, as far as any are."""
        return self._types is None or self._types.issuperset(types)

    def extend(
        self,
        low: Mapping[int, Cursor],
        high: Mapping[int, Cursor],
        types: Mapping[int, Iterable[str]] | None,
    ) -> None:
        """The entries between two heads are of these types, by shard; None begins anew."""
        for shard, head in high.items():
            known = self._shards.get(shard)
            if types is None or known is None or known.end != low.get(shard):
                self._shards[shard] = _Shard(head.sequence, head)
                continue
            known.last |= dict.fromkeys(types.get(shard, ()), head.sequence)
            known.end = head

    def pass_over(self, subscription: Subscription, shard: int, cursor: Cursor) -> Cursor:
        """The cursor, or a later one where the subscription receives nothing in between."""
        known = self._shards.get(shard)
        if known is None or not known.start <= cursor.sequence < known.end.sequence:
            return cursor
        if not self.covers(subscription.types):
            return cursor
        after = (type for type, last in known.last.items() if last > cursor.sequence)
        return cursor if any(self.wants(subscription, type) for type in after) else known.end

    def wants(self, subscription: Subscription, type: str) -> bool:
        """Whether the type is one of the subscription's."""
        pair = subscription.types, type
        if (match := self._matches.get(pair)) is None:
            if len(self._matches) >= MATCHES:
                self._matches.clear()
            match = self._matches[pair] = subscription.wants(type)
        return match
