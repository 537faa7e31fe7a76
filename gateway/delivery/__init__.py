"""Verb: deliver to subscribers, and repair what delivery needs."""

from gateway.delivery.repair import Reconciler
from gateway.delivery.rights import may_receive
from gateway.delivery.subscribe import Granted, Subscribing, Wish

__all__ = ["Granted", "Reconciler", "Subscribing", "Wish", "may_receive"]
