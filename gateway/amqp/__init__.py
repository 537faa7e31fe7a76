"""Noun: RabbitMQ."""

from gateway.amqp import message, names
from gateway.amqp.lane import Lane
from gateway.amqp.ledger import Outcome
from gateway.amqp.management import Management, QueueState, hash_password
from gateway.amqp.message import Outgoing
from gateway.amqp.topology import Broker, NotOnBroker

__all__ = [
    "Broker",
    "Lane",
    "Management",
    "NotOnBroker",
    "Outcome",
    "Outgoing",
    "QueueState",
    "hash_password",
    "message",
    "names",
]
