"""Verb: relay, move the journal to RabbitMQ."""

from gateway.relay.control import Control
from gateway.relay.queue_credit import QueueCredit
from gateway.relay.shard_share import Relay

__all__ = ["Control", "QueueCredit", "Relay"]
