"""Noun: subscriptions, who wants which events and how far they have come."""

from gateway.subscriptions.register import Subscriptions, load
from gateway.subscriptions.values import Key, Places, Progress, State, Subscription

__all__ = ["Key", "Places", "Progress", "State", "Subscription", "Subscriptions", "load"]
