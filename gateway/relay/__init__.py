"""Moves the journal to RabbitMQ: each shard in order, every entry at least once."""

from gateway.relay.context import ControlPlane
from gateway.relay.queue_credit import QueueCredit
from gateway.relay.recovery import Recovery, RecoveryReport
from gateway.relay.relay import Relay
from gateway.relay.witness import WitnessKeeper, compare_at_start

__all__ = [
    "ControlPlane",
    "QueueCredit",
    "Recovery",
    "RecoveryReport",
    "Relay",
    "WitnessKeeper",
    "compare_at_start",
]
