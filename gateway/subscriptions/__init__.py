"""Noun: subscriptions, who wants which events and how far they have come."""

from gateway.subscriptions import progress, register
from gateway.subscriptions.filters import Filter, compile_filters
from gateway.subscriptions.register import Subscriptions, load
from gateway.subscriptions.values import (
    DEFAULT_TERMS,
    NAME,
    Delivery,
    Key,
    Mark,
    Places,
    Progress,
    State,
    Subscription,
    Terms,
)

__all__ = [
    "DEFAULT_TERMS",
    "NAME",
    "Delivery",
    "Filter",
    "Key",
    "Mark",
    "Places",
    "Progress",
    "State",
    "Subscription",
    "Subscriptions",
    "Terms",
    "compile_filters",
    "load",
    "progress",
    "register",
]
