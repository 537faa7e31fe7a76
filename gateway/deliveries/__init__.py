"""Noun: deliveries, what became of each event on its way to a subscription served by us."""

from gateway.deliveries.store import Deliveries, begin
from gateway.deliveries.values import (
    Attempt,
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
)

__all__ = [
    "Attempt",
    "Claim",
    "DeadLetter",
    "Deliveries",
    "Ending",
    "Failure",
    "Fresh",
    "Frontier",
    "Key",
    "Locked",
    "Patience",
    "Spot",
    "begin",
]
