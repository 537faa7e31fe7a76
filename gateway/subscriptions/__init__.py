"""Which organisation receives which events, by which route, and how far it is."""

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
    ShardSequences,
    Signature,
    Subscription,
    SubscriptionCursors,
    SubscriptionState,
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
    "ShardSequences",
    "Signature",
    "Subscription",
    "SubscriptionCursors",
    "SubscriptionState",
    "Subscriptions",
    "Terms",
    "backfill_progress",
    "compile_filters",
    "load",
    "register",
    "webhooks",
]
