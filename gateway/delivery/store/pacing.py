"""How much of a subscription may be handed out now, however many processes hand out."""

from dataclasses import dataclass
from datetime import datetime

from gateway.base.transactions import Connection
from gateway.delivery.store import limits_sql as sql
from gateway.delivery.store.values import Key


@dataclass(frozen=True, slots=True)
class Allowance:
    """`tokens` deliveries may be handed out at the time `at`; `rate` more in each second."""

    tokens: float
    rate: float
    at: datetime

    @property
    def whole(self) -> int:
        """How many deliveries that is."""
        return int(self.tokens)

    @property
    def wait(self) -> float:
        """Seconds until there is one more."""
        return 0.0 if self.whole else (1.0 - self.tokens) / self.rate


async def allowance(connection: Connection, key: Key, rate: float) -> Allowance:
    """What is left, held for this transaction: a second's worth at most, and one at least."""
    burst = max(1.0, rate)
    rows = await connection.fetch(sql.ALLOWED, *key, rate, burst)
    if not rows:
        await connection.execute(sql.BEGIN_PACE, *key, burst)
        rows = await connection.fetch(sql.ALLOWED, *key, rate, burst)
    tokens, at = rows[0]
    return Allowance(tokens, rate, at)


async def spend(connection: Connection, key: Key, left: Allowance, count: int) -> Allowance:
    """Take out what was handed out; returns what is left."""
    after = Allowance(left.tokens - count, left.rate, left.at)
    if count:
        await connection.execute(sql.SPEND, *key, after.tokens, after.at)
    return after
