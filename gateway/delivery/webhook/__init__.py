"""Webhooks: the gateway calls the subscriber's endpoint."""

from gateway.delivery.webhook.dialling import trust
from gateway.delivery.webhook.dispatcher import Sources
from gateway.delivery.webhook.endpoints import Endpoints
from gateway.delivery.webhook.plan import Plan
from gateway.delivery.webhook.retrying import Schedule
from gateway.delivery.webhook.tail import Tail
from gateway.delivery.webhook.worker import Deliver

__all__ = ["Deliver", "Endpoints", "Plan", "Schedule", "Sources", "Tail", "trust"]
