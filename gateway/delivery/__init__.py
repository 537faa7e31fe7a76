"""Verb: deliver to subscribers, and repair what delivery needs."""

from gateway.delivery.pull import Pull, Received, Settlement
from gateway.delivery.repair import Reconciler
from gateway.delivery.rights import may_receive
from gateway.delivery.served import Finder
from gateway.delivery.subscribe import Granted, Subscribing, Wish

__all__ = [
    "Finder",
    "Granted",
    "Pull",
    "Received",
    "Reconciler",
    "Settlement",
    "Subscribing",
    "Wish",
    "may_receive",
]
