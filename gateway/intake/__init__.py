"""Verb: accept or refuse events."""

from gateway.intake.cloudevents import Batch, Limits, parse_request
from gateway.intake.publish import Intake, Receipt

__all__ = ["Batch", "Intake", "Limits", "Receipt", "parse_request"]
