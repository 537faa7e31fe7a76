"""Webhook delivery: the gateway calls the endpoints of subscribers."""

from gateway.delivery.webhook.configs import WebhookConfigs
from gateway.delivery.webhook.dispatcher import DispatchContext
from gateway.delivery.webhook.endpoints import Endpoints
from gateway.delivery.webhook.journal_tail import JournalTail
from gateway.delivery.webhook.retry_schedule import RetrySchedule
from gateway.delivery.webhook.worker import WebhookWorker

__all__ = [
    "DispatchContext",
    "Endpoints",
    "JournalTail",
    "RetrySchedule",
    "WebhookConfigs",
    "WebhookWorker",
]
