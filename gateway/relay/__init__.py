"""Verb: relay, move the journal to RabbitMQ."""

from gateway.relay.control import Control
from gateway.relay.loop import Relay
from gateway.relay.rooms import Rooms

__all__ = ["Control", "Relay", "Rooms"]
