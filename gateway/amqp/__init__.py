"""Noun: RabbitMQ."""

from gateway.amqp import message, names
from gateway.amqp.dead import DeadMessage, DeadQueue
from gateway.amqp.lane import Lane, send_all
from gateway.amqp.ledger import Outcome
from gateway.amqp.management import Management, QueueState, hash_password
from gateway.amqp.message import Outgoing
from gateway.amqp.replies import Replies, ReplyMessage
from gateway.amqp.topology import LONGEST_AGE, Broker, NotOnBroker

__all__ = [
    "LONGEST_AGE",
    "Broker",
    "DeadMessage",
    "DeadQueue",
    "Lane",
    "Management",
    "NotOnBroker",
    "Outcome",
    "Outgoing",
    "QueueState",
    "Replies",
    "ReplyMessage",
    "hash_password",
    "message",
    "names",
    "send_all",
]
