"""Webhooks: the gateway calls the subscriber's endpoint."""

from gateway.delivery.webhook.assignments import Plan
from gateway.delivery.webhook.dispatcher import DispatchContext
from gateway.delivery.webhook.endpoints import Endpoints
from gateway.delivery.webhook.guarded_network import trust
from gateway.delivery.webhook.journal_tail import Tail
from gateway.delivery.webhook.retry_schedule import Schedule
from gateway.delivery.webhook.worker import Deliver

__all__ = ["Deliver", "DispatchContext", "Endpoints", "Plan", "Schedule", "Tail", "trust"]
