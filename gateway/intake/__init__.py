"""Verb: accept or refuse events."""

from gateway.intake.cloudevents import Batch, Limits, parse_request
from gateway.intake.correcting import Correction, corrected
from gateway.intake.publish import Intake, Receipt, judged, require_valid

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
