"""Reads events, accepts or refuses them, and stores what is accepted."""

from gateway.publishing.cloudevents import Batch, Limits, parse_event, parse_request
from gateway.publishing.corrections import Correction, correct
from gateway.publishing.publish import EventPublisher, Receipt
from gateway.publishing.validation import EventValidator

__all__ = [
    "Batch",
    "Correction",
    "EventPublisher",
    "EventValidator",
    "Limits",
    "Receipt",
    "correct",
    "parse_event",
    "parse_request",
]
