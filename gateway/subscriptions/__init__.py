"""Noun: subscriptions, who wants which events and how far they have come."""

from gateway.subscriptions import backfill_progress, register, webhooks
from gateway.subscriptions.filters import Filter, compile_filters
from gateway.subscriptions.register import Subscriptions, load
from gateway.subscriptions.values import (
    DEFAULT_TERMS,
    NAME,
    BackfillProgress,
    Delivery,
    Endpoint,
    Key,
    Mark,
    ShardSequences,
    Signature,
    State,
    Subscription,
    Terms,
)

__all__ = [
    "DEFAULT_TERMS",
    "NAME",
    "BackfillProgress",
    "Delivery",
    "Endpoint",
    "Filter",
    "Key",
    "Mark",
    "ShardSequences",
    "Signature",
    "State",
    "Subscription",
    "Subscriptions",
    "Terms",
    "backfill_progress",
    "compile_filters",
    "load",
    "register",
    "webhooks",
]
