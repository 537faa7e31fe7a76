"""Noun: subscriptions, who wants which events and how far they have come."""

from gateway.subscriptions import progress, register, webhooks
from gateway.subscriptions.filters import Filter, compile_filters
from gateway.subscriptions.register import Subscriptions, load
from gateway.subscriptions.values import (
    DEFAULT_TERMS,
    NAME,
    Delivery,
    Endpoint,
    Key,
    Mark,
    Places,
    Progress,
    Signature,
    State,
    Subscription,
    Terms,
)

__all__ = [
    "DEFAULT_TERMS",
    "NAME",
    "Delivery",
    "Endpoint",
    "Filter",
    "Key",
    "Mark",
    "Places",
    "Progress",
    "Signature",
    "State",
    "Subscription",
    "Subscriptions",
    "Terms",
    "compile_filters",
    "load",
    "progress",
    "register",
    "webhooks",
]
