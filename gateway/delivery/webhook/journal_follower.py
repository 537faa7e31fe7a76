"""Reading on in the journal for one subscription, within what may be in memory."""

from collections.abc import Iterable, Sequence

from gateway.delivery.journal_scanner import SPAN, JournalScanner
from gateway.delivery.webhook.tail import Tail, size_of
from gateway.journal import Cursor, Entry
from gateway.subscriptions import Subscription

BYTES = 8 << 20  # of the data of what is on its way to one endpoint
LARGE = 1 << 20  # bytes that an event is taken to have until some were read
SMALL = 1 << 10  # and at least
CHUNK = 64  # entries that are looked at together


class Following:
    """What comes next for a subscription: from memory where that reaches back, else read."""

    def __init__(self, subscription: Subscription, finder: JournalScanner, tail: Tail) -> None:
        self._subscription = subscription
        self._finder = finder
        self._tail = tail
        self._wants: dict[str, bool] = {}
        self._held = 0
        self._typical = LARGE

    def concerns(self, types: Iterable[str] | None) -> bool:
        """Whether it may want one of these types; None is any."""
        if types is None or not self._tail.covers(self._subscription.types):
            return True
        return any(self._is_wanted(type) for type in types)

    def hold(self, entry: Entry) -> None:
        """An entry is in memory."""
        self._held += size_of(entry)

    def let_go(self, entry: Entry) -> None:
        """It is no longer."""
        self._held -= size_of(entry)

    def head(self, shard: int) -> Cursor:
        """Where the journal ends."""
        return self._tail.heads.get(shard, Cursor(0))

    def limit(self, room: int) -> int:
        """How many entries may be read: one always where nothing is in memory."""
        affordable = (BYTES - self._held) // self._typical
        return min(room, max(affordable, 0 if self._held else 1))

    async def after(self, shard: int, place: Cursor, limit: int) -> tuple[list[Entry], Cursor]:
        """Up to `limit` entries that it is to get, and up to where that has looked."""
        entries, looked = await self._after(shard, place, limit)
        if entries:
            self._typical = max(sum(map(size_of, entries)) // len(entries), SMALL)
        return entries, looked

    async def _after(self, shard: int, place: Cursor, limit: int) -> tuple[list[Entry], Cursor]:
        head = self.head(shard)
        held = self._tail.after(shard, place.sequence, self._subscription.types)
        if held is None:
            until = min(head.sequence, place.sequence + SPAN)
            return await self._finder.look(
                self._subscription, shard, place, until=until, limit=limit
            )
        return await self._among(held, head, limit)

    async def _among(
        self, held: Sequence[Entry], head: Cursor, limit: int
    ) -> tuple[list[Entry], Cursor]:
        wanted: list[Entry] = []
        for begin in range(0, len(held), CHUNK):
            chunk = [each for each in held[begin : begin + CHUNK] if each.sequence <= head.sequence]
            typed = [each for each in chunk if self._is_wanted(each.event.type)]
            wanted += await self._finder.choose(self._subscription, typed)
            if len(wanted) >= limit:
                last = wanted[limit - 1]
                return wanted[:limit], Cursor(last.sequence, last.recorded)
        return wanted, Cursor(head.sequence, head.recorded)

    def _is_wanted(self, type: str) -> bool:
        if type not in self._wants:
            self._wants[type] = self._subscription.wants(type)
        return self._wants[type]
