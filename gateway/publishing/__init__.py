"""Reads events, accepts or refuses them, and stores what is accepted."""

from gateway.publishing.cloudevents import (
    Batch,
    Limits,
    event_of_parts,
    parse_event,
    parse_request,
)
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
    "event_of_parts",
    "parse_event",
    "parse_request",
]
