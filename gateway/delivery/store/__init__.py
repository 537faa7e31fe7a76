"""Noun: deliveries, what became of each event on its way to a subscription served by us."""

from gateway.delivery.store.dead_letters import DeadLetters
from gateway.delivery.store.deliveries import Deliveries
from gateway.delivery.store.dispatching import Dispatching, Opened, Returned, Settled, Superseded
from gateway.delivery.store.leases import Lease, LeaseLost, Leases
from gateway.delivery.store.redrives import Redrive, Redrives, RedriveState
from gateway.delivery.store.values import (
    TOO_OLD,
    TRIALS,
    Attempt,
    Burial,
    Buried,
    Claim,
    DeadLetter,
    Ending,
    Fresh,
    Handout,
    Key,
    Locked,
    Patience,
    Standing,
    Told,
    Unattended,
    Wanted,
)

__all__ = [
    "TOO_OLD",
    "TRIALS",
    "Attempt",
    "Burial",
    "Buried",
    "Claim",
    "DeadLetter",
    "DeadLetters",
    "Deliveries",
    "Dispatching",
    "Ending",
    "Fresh",
    "Handout",
    "Key",
    "Lease",
    "LeaseLost",
    "Leases",
    "Locked",
    "Opened",
    "Patience",
    "Redrive",
    "RedriveState",
    "Redrives",
    "Returned",
    "Settled",
    "Standing",
    "Superseded",
    "Told",
    "Unattended",
    "Wanted",
]
