"""Verb: relay, move the journal to RabbitMQ."""

from gateway.relay.control import ControlPlane
from gateway.relay.queue_credit import QueueCredit
from gateway.relay.shard_share import Relay

__all__ = ["ControlPlane", "QueueCredit", "Relay"]
