"""Verb: accept or refuse events."""

from gateway.intake.cloudevents import Batch, Limits, parse_request
from gateway.intake.publish import Intake, Receipt, require_valid

__all__ = ["Batch", "Intake", "Limits", "Receipt", "parse_request", "require_valid"]
