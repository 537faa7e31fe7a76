"""Which process dispatches a subscription: one at a time, with an epoch."""

import asyncpg

from gateway.base.leases import Lease, Leases, LeaseTable

# Epochs come from one sequence: a subscription that is ended and made again under its name has
# none of its predecessor's.
DELIVERY_LEASES = LeaseTable(
    "delivery_leases",
    key={"organisation": "text", "name": "text"},
    holders="delivery_dispatchers",
    first_epoch="nextval('delivery_epochs')",
    next_epoch="nextval('delivery_epochs')",
)


class DeliveryLeases(Leases[Lease]):
    """Takes, renews and gives back the leases of subscriptions for the process `name`."""

    def __init__(self, pool: asyncpg.Pool, *, name: str, seconds: float) -> None:
        super().__init__(DELIVERY_LEASES, Lease, pool, name=name, seconds=seconds)
