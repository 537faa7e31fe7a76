"""Noun: deliveries, what became of each event on its way to a subscription served by us."""

from gateway.deliveries.dead import DeadLetters
from gateway.deliveries.dispatching import (
    Dispatching,
    Opened,
    Returned,
    Settled,
    Superseded,
)
from gateway.deliveries.fresh import Buried
from gateway.deliveries.leases import Lease, LeaseLost, Leases
from gateway.deliveries.nondelivery import report, report_samples
from gateway.deliveries.redrives import Redrive, Redrives, RedriveState
from gateway.deliveries.store import Deliveries, begin
from gateway.deliveries.values import (
    TOO_OLD,
    TRIALS,
    Attempt,
    Burial,
    Claim,
    DeadLetter,
    Ending,
    Failure,
    Fresh,
    Frontier,
    Handout,
    Key,
    Locked,
    Patience,
    Spot,
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
    "Failure",
    "Fresh",
    "Frontier",
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
    "Spot",
    "Standing",
    "Superseded",
    "Told",
    "Unattended",
    "Wanted",
    "begin",
    "report",
    "report_samples",
]
