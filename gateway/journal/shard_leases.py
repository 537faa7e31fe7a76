"""Which relay works on a shard: one at a time, with an epoch, and how far it has come."""

from dataclasses import dataclass, field

import asyncpg

from gateway.base.leases import Key, Lease, Leases, LeaseTable
from gateway.journal.entry import Cursor

SHARD_LEASES = LeaseTable(
    "journal_leases",
    key={"shard": "smallint"},
    holders="journal_relays",
    state=("cursor_sequence", "cursor_recorded"),
    progress={"sequence": "bigint", "recorded": "timestamptz", "returned": "bigint"},
    write=(
        "cursor_sequence = greatest(l.cursor_sequence, u.sequence)",
        "cursor_recorded = CASE WHEN u.sequence > l.cursor_sequence THEN u.recorded "
        "ELSE l.cursor_recorded END",
        "returned = l.returned + u.returned",
    ),
    valid="l.made = l.tableoid",  # no restored copy of the table, which others have not entered yet
)


@dataclass(slots=True, eq=False)
class ShardLease(Lease):
    """The right to relay a shard.

    `reached` is the cursor up to which everything was confirmed, `cursor` what of it is written.
    """

    cursor: Cursor = field(init=False)
    reached: Cursor = field(init=False)
    returned: int = field(init=False, default=0)
    """Unroutable deliveries not yet added to the shard's count."""

    def __post_init__(self) -> None:
        self.cursor = self.reached = Cursor(*self.state)

    def progress(self) -> Key:
        """How far the shard is relayed, and what came back since the last renewal."""
        return (self.reached.sequence, self.reached.recorded, self.returned)

    def wrote(self, progress: Key) -> None:
        """See `cursor` and `returned`."""
        sequence, recorded, returned = progress
        self.cursor = Cursor(sequence, recorded)
        self.returned -= returned

    @property
    def shard(self) -> int:
        """The number of the shard."""
        return int(self.key[0])


class ShardLeases(Leases[ShardLease]):
    """Takes, renews and gives back the leases of shards for the relay `name`."""

    def __init__(self, pool: asyncpg.Pool, *, name: str, seconds: float) -> None:
        super().__init__(SHARD_LEASES, ShardLease, pool, name=name, seconds=seconds)
