"""Noun: subscriptions, who wants which events and how far they have come."""

from gateway.subscriptions import progress, register
from gateway.subscriptions.register import Subscriptions, load
from gateway.subscriptions.values import NAME, Key, Places, Progress, State, Subscription

__all__ = [
    "NAME",
    "Key",
    "Places",
    "Progress",
    "State",
    "Subscription",
    "Subscriptions",
    "load",
    "progress",
    "register",
]
