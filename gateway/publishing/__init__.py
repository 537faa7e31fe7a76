"""Verb: accept or refuse events."""

from gateway.publishing.cloudevents import Batch, Limits, parse_request
from gateway.publishing.corrections import Correction, corrected
from gateway.publishing.publish import Intake, Receipt, judged, require_valid

__all__ = [
    "Batch",
    "Correction",
    "Intake",
    "Limits",
    "Receipt",
    "corrected",
    "judged",
    "parse_request",
    "require_valid",
]
