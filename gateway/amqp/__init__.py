"""Noun: RabbitMQ."""

from gateway.amqp import message, names
from gateway.amqp.lane import Lane
from gateway.amqp.ledger import Outcome
from gateway.amqp.message import Outgoing

__all__ = ["Lane", "Outcome", "Outgoing", "message", "names"]
