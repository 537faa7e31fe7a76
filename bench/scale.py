"""How much is measured."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """Counts and times of one bench. Rounds alternate between what is compared."""

    rounds: int = 3
    seconds: float = 6.0  # of one run
    warm_up: float = 1.5
    connections: int = 64
    batch: int = 100  # events in a request
    batch_connections: int = 16
    batch_requests: int = 1000
    backlog: int = 150_000  # events that the relay drains
    prepared_messages: int = 150_000  # blasted at the broker
    aio_pika_messages: int = 25_000
    memory_events: int = 1_000_000
    memory_step: int = 100_000  # between two looks at the memory
    journal_entries: int = 5_000_000
    weighed_events: int = 1_000_000
    contracts: int = 10_000
    contract_changes: int = 10
    legacy_records: int = 1_000_000  # of a file that goes into RabbitMQ
    pulled_backlog: int = 10_000  # events
    subscriptions: int = 1_000
    cancelled_calls: int = 50_000


FULL = Scale()
QUICK = Scale(
    rounds=1,
    seconds=2.0,
    warm_up=0.5,
    batch_requests=200,
    backlog=20_000,
    prepared_messages=40_000,
    aio_pika_messages=5_000,
    memory_events=100_000,
    memory_step=20_000,
    journal_entries=200_000,
    weighed_events=50_000,
    contracts=500,
    contract_changes=4,
    legacy_records=50_000,
    pulled_backlog=2_000,
    subscriptions=100,
    cancelled_calls=4_000,
)
