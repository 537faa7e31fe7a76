"""Verb: deliver to subscribers, and repair what delivery needs."""

from gateway.delivery.attention import Alerting, Attention
from gateway.delivery.burying import Burying
from gateway.delivery.ledger import Delivered, Lag, Ledger, Stage
from gateway.delivery.news import News
from gateway.delivery.nondelivery import NonDelivery
from gateway.delivery.pull import Pull, Received, Settlement
from gateway.delivery.redriving import Redriver, Redriving
from gateway.delivery.repair import Reconciler
from gateway.delivery.reporting import Reported, Reporting
from gateway.delivery.resending import Resending, Resent
from gateway.delivery.rights import may_receive
from gateway.delivery.served import Finder
from gateway.delivery.stream import Streamed, Streaming
from gateway.delivery.subscribe import Granted, Subscribing, Wish
from gateway.delivery.trial import Trial, a_number, trial_entry
from gateway.delivery.trying import Trying

__all__ = [
    "Alerting",
    "Attention",
    "Burying",
    "Delivered",
    "Finder",
    "Granted",
    "Lag",
    "Ledger",
    "News",
    "NonDelivery",
    "Pull",
    "Received",
    "Reconciler",
    "Redriver",
    "Redriving",
    "Reported",
    "Reporting",
    "Resending",
    "Resent",
    "Settlement",
    "Stage",
    "Streamed",
    "Streaming",
    "Subscribing",
    "Trial",
    "Trying",
    "Wish",
    "a_number",
    "may_receive",
    "trial_entry",
]
