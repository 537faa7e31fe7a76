"""Noun: deliveries, what became of each event on its way to a subscription served by us."""

from gateway.deliveries.dead import DeadLetters
from gateway.deliveries.redrives import Redrive, Redrives, RedriveState
from gateway.deliveries.store import Deliveries, begin
from gateway.deliveries.values import (
    Attempt,
    Burial,
    Claim,
    DeadLetter,
    Ending,
    Failure,
    Fresh,
    Frontier,
    Key,
    Locked,
    Patience,
    Spot,
    Standing,
    Wanted,
)

__all__ = [
    "Attempt",
    "Burial",
    "Claim",
    "DeadLetter",
    "DeadLetters",
    "Deliveries",
    "Ending",
    "Failure",
    "Fresh",
    "Frontier",
    "Key",
    "Locked",
    "Patience",
    "Redrive",
    "RedriveState",
    "Redrives",
    "Spot",
    "Standing",
    "Wanted",
    "begin",
]
